"""Reading back what W&B keeps offline: LevelDB's log format, its records protocol buffers."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK = 32 * 1024
FILE_HEADER = 7
FIRST, LAST, FULL = 2, 4, 1


def history(folder: Path) -> list[dict[str, Any]]:
    """Return every row logged by the offline runs in ``folder``, oldest first."""
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

    rows = []
    for file in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        for data in records(file.read_bytes()):
            record = Record()
            record.ParseFromString(data)
            if record.WhichOneof("record_type") == "history":
                items = record.history.item
                rows.append(
                    {
                        item.key or ".".join(item.nested_key): json.loads(item.value_json)
                        for item in items
                    }
                )
    return rows


def records(content: bytes) -> Iterator[bytes]:
    """Yield the records of a log, put together from their fragments."""
    position, whole = FILE_HEADER, b""
    while position + 7 <= len(content):
        if BLOCK - position % BLOCK < 7:
            position += BLOCK - position % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", content[position : position + 7])
        fragment = content[position + 7 : position + 7 + length]
        position += 7 + length
        whole = fragment if kind in (FULL, FIRST) else whole + fragment
        if kind in (FULL, LAST):
            yield whole
