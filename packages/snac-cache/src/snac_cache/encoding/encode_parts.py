"""What each worker does: load the model once, then encode part after part."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import torch

from snac_cache.encoding.encoder import UtteranceEncoder
from snac_cache.encoding.request import CacheRequest
from snac_cache.store.identity import CacheIdentity
from snac_cache.store.parts import write_part
from snac_cache.store.records import Agreement, Encoded
from snac_cache.work.plan import Part
from snac_model.audio_header import AudioError
from snac_model.devices import prepare_cpu_worker
from snac_model.weights import load


@dataclass(frozen=True)
class Todo:
    """A part to encode, its manifest rows, and their hash."""

    part: Part
    rows: pa.Table
    sha256: str


def encode_parts(
    number: int,
    items: Iterator[Todo],
    send: Callable[[Any], None],
    *,
    request: CacheRequest,
    identity: CacheIdentity,
) -> None:
    """Encode parts on the worker's device; send 1 for each utterance, and each part's record."""
    device = torch.device(request.devices[number])
    if device.type == "cpu":
        prepare_cpu_worker()
    encoder = UtteranceEncoder(load(request.model), device, request.precision)
    for item in items:
        rows = item.rows.to_pylist()
        results: dict[int, Encoded | AudioError] = {}
        for position, result in encoder.encode(rows):
            results[position] = result
            send(1)
        encoded = {key: value for key, value in results.items() if isinstance(value, Encoded)}
        record = write_part(
            request.folder,
            item.part,
            source_sha256=item.sha256,
            rows=rows,
            results=results,
            identity=identity,
            agreement=Agreement() if encoder.is_exact else encoder.compare_alone(rows, encoded),
        )
        send(record)
