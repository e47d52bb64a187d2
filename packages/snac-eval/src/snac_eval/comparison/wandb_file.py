"""Reading what W&B keeps offline: protocol buffers in LevelDB's log format.

The format: https://github.com/google/leveldb/blob/main/doc/log_format.md, with a header of seven
bytes before the first record.
"""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from snac_common.errors import Failure

BLOCK = 32 * 1024
FILE_HEADER = RECORD_HEADER = 7
FULL, FIRST, LAST = 1, 2, 4


def read_history(file: Path) -> Iterator[dict[str, Any]]:
    """Yield every row that was logged, oldest first."""
    for record in _records(file):
        if record.WhichOneof("record_type") == "history":
            yield {
                item.key or ".".join(item.nested_key): json.loads(item.value_json)
                for item in record.history.item
            }


def read_config(file: Path) -> dict[str, Any]:
    """Return the configuration that the run was started with."""
    for record in _records(file):
        if record.WhichOneof("record_type") == "run":
            return {item.key: json.loads(item.value_json) for item in record.run.config.update}
    return {}


def _records(file: Path) -> Iterator[Any]:
    from google.protobuf.message import DecodeError
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

    whole = b""
    for kind, fragment in _fragments(file):
        whole = fragment if kind in (FULL, FIRST) else whole + fragment
        if kind in (FULL, LAST):
            record = Record()
            try:
                record.ParseFromString(whole)
            except DecodeError as error:
                raise Failure(f"{file} is damaged, or no file of W&B: {error}") from error
            yield record


def _fragments(file: Path) -> Iterator[tuple[int, bytes]]:
    """Yield kind and content of each fragment; one that is still being written ends the file."""
    with file.open("rb") as opened:
        position = FILE_HEADER
        while block := opened.read(BLOCK):
            while position + RECORD_HEADER <= len(block):
                _, length, kind = struct.unpack_from("<IHB", block, position)
                start = position + RECORD_HEADER
                position = start + length
                if position > len(block):
                    return
                yield kind, block[start:position]
            position = 0
