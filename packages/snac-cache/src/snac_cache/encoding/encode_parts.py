"""What each worker does: load the model once, then encode part after part."""

from collections.abc import Callable, Iterator
from typing import Any

import torch

from snac_cache.encoding.agreement import measure
from snac_cache.encoding.encoder import UtteranceEncoder
from snac_cache.encoding.part_writer import writing, writing_parts
from snac_cache.encoding.parts_in_flight import windows_of
from snac_cache.encoding.progress import Progress
from snac_cache.encoding.request import CacheRequest
from snac_cache.encoding.stream import encode_stream
from snac_cache.store.identity import CacheIdentity
from snac_cache.work.plan import Part
from snac_cache.work.plan_file import Plan
from snac_common.devices import prepare_cpu_worker
from snac_common.refresh import refresh
from snac_model.codec.loading import load


def encode_parts(
    number: int,
    parts: Iterator[Part],
    send: Callable[[Any], None],
    *,
    plan: Plan,
    request: CacheRequest,
    identity: CacheIdentity,
    window_rows: int,
) -> None:
    """Encode parts on the worker's device; send counts of utterances, and each part's record.

    Args:
        window_rows: of how many rows a GPU's batches are made at a time, of one part or several.
    """
    refresh(plan.folder)  # on another machine than where it was written
    device = _prepare(torch.device(request.devices[number]))
    encoder = UtteranceEncoder(
        load(request.model), device, request.precision, request.batch_seconds
    )
    if device.type == "cpu":
        window_rows = 1  # each utterance is encoded alone, so a part at a time is enough
    progress = Progress(send)
    windows = windows_of(parts, plan, window_rows)
    with writing_parts(send) as writer:
        for (taken, position), result in encode_stream(encoder, windows, request.read_threads):
            taken.results[position] = result
            progress.add(1)
            if taken.is_complete:
                agreement = measure(encoder, taken.part, taken.rows, taken.encoded)
                writer.write(writing(request.folder, taken, identity, agreement))
    progress.flush()


def _prepare(device: torch.device) -> torch.device:
    """Have torch compute in one thread: on a GPU's worker it would start one for every core."""
    if device.type == "cpu":
        prepare_cpu_worker()
    else:
        torch.set_num_threads(1)
        torch.cuda.set_device(device)
    return device
