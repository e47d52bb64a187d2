"""Reading what W&B keeps offline: protocol buffers in LevelDB's log format.

The format: https://github.com/google/leveldb/blob/main/doc/log_format.md, with a header of seven
bytes before the first record, and in each fragment the plain CRC-32 of its kind and content.
"""

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from snac_common.errors import Failure

BLOCK = 32 * 1024
HEADER = b":W&B" + (0xBEE1).to_bytes(2, "little") + b"\0"
FRAGMENT_HEADER = 7
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def read_history(file: Path) -> Iterator[dict[str, Any]]:
    """Yield every row that was logged, oldest first.

    Raises:
        Failure: if the file is damaged, or no file of W&B.
    """
    for record in _records(file):
        if record.WhichOneof("record_type") == "history":
            yield _values(file, record.history.item)


def read_config(file: Path) -> dict[str, Any]:
    """Return the configuration that the run was started with.

    Raises:
        Failure: if the file is damaged, no file of W&B, or holds no run.
    """
    for record in _records(file):
        if record.WhichOneof("record_type") == "run":
            return _values(file, record.run.config.update)
    raise _damaged(file, "it holds no run")


def _values(file: Path, items: Iterable[Any]) -> dict[str, Any]:
    try:
        return {
            item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items
        }
    except ValueError as error:
        raise _damaged(file, f"a value is not JSON: {error}") from error


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
                raise _damaged(file, str(error)) from error
            yield record


def _fragments(file: Path) -> Iterator[tuple[int, bytes]]:
    """Yield kind and content of each fragment; one that is still being written ends the file."""
    with file.open("rb") as opened:
        block = opened.read(BLOCK)
        if not block.startswith(HEADER):
            raise _damaged(file, "it does not begin as one")
        position = len(HEADER)
        while block:
            while position + FRAGMENT_HEADER <= len(block):
                checksum, length, kind = struct.unpack_from("<IHB", block, position)
                start = position + FRAGMENT_HEADER
                if start + length > BLOCK or not FULL <= kind <= LAST:
                    raise _damaged(file, "a record makes no sense")
                if start + length > len(block):
                    return
                if zlib.crc32(block[start - 1 : start + length]) != checksum:
                    raise _damaged(file, "the checksum of a record is wrong")
                position = start + length
                yield kind, block[start:position]
            block, position = opened.read(BLOCK), 0


def _damaged(file: Path, why: str) -> Failure:
    return Failure(
        f"{file} is damaged, or no file of W&B: {why}. Give the run's own folder, which has its "
        "metrics.jsonl."
    )
