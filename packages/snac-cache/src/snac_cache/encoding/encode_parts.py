"""What each worker does: load the model once, then encode part after part."""

from collections.abc import Callable, Iterator
from typing import Any

import torch

from snac_cache.encoding.encoder import UtteranceEncoder
from snac_cache.encoding.request import CacheRequest
from snac_cache.store.identity import CacheIdentity
from snac_cache.store.parts import write_part
from snac_cache.store.records import Agreement, Encoded
from snac_cache.work.plan import Part
from snac_cache.work.plan_file import Plan
from snac_model.audio_header import AudioError
from snac_model.devices import prepare_cpu_worker
from snac_model.weights import load


def encode_parts(
    number: int,
    parts: Iterator[Part],
    send: Callable[[Any], None],
    *,
    plan: Plan,
    request: CacheRequest,
    identity: CacheIdentity,
) -> None:
    """Encode parts on the worker's device; send 1 for each utterance, and each part's record."""
    device = torch.device(request.devices[number])
    if device.type == "cpu":
        prepare_cpu_worker()
    encoder = UtteranceEncoder(load(request.model), device, request.precision)
    for part in parts:
        rows = plan.rows(part).to_pylist()
        results: dict[int, Encoded | AudioError] = {}
        for position, result in encoder.encode(rows):
            results[position] = result
            send(1)
        encoded = {key: value for key, value in results.items() if isinstance(value, Encoded)}
        record = write_part(
            request.folder,
            part,
            rows=rows,
            results=results,
            identity=identity,
            agreement=Agreement() if encoder.is_exact else encoder.compare_alone(rows, encoded),
        )
        send(record)
