"""Parts as memory-mapped Arrow files, so that a row costs no more than touching its bytes.

Parquet is compact and open to SQL, but must be decoded a row group at a time. So each part is
decoded once, when it is first needed, into an uncompressed Arrow file beside the cache, which all
processes then map: its pages are the system's to keep or drop, and are shared.
"""

import hashlib
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from snac_model.errors import Failure
from snac_model.files import atomic_path

FOLDER = ".mapped"
SOURCE_KEY = b"snac.parquet_file"


def open_mapped(part: Path) -> pa.Table:
    """Return a part's table in mapped memory, decoding the part first if that was not done yet.

    Raises:
        Failure: if the part cannot be read to its last byte.
    """
    source = _fingerprint(part)
    for folder in (part.parent / FOLDER, _spare_folder(part)):
        table = _open(folder / f"{part.stem}.arrow", source)
        if table is not None:
            return table
    table = _decode(part).replace_schema_metadata({SOURCE_KEY: source})
    try:
        return _write(table, part.parent / FOLDER / f"{part.stem}.arrow")
    except PermissionError:  # a cache that this user may only read
        return _write(table, _spare_folder(part) / f"{part.stem}.arrow")


def _decode(part: Path) -> pa.Table:
    try:
        return pq.read_table(part, page_checksum_verification=True).combine_chunks()
    except (OSError, pa.ArrowException) as error:
        raise Failure(f"{part} is damaged: {error}. Run snac-cache again.") from error


def _write(table: pa.Table, path: Path) -> pa.Table:
    with atomic_path(path) as temporary, pa.ipc.new_file(temporary, table.schema) as writer:
        writer.write_table(table)
    return _map(path)


def _open(path: Path, source: bytes) -> pa.Table | None:
    """Map an Arrow file if it is there and was made from the part as it is now."""
    if not path.exists():
        return None
    table = _map(path)
    return table if (table.schema.metadata or {}).get(SOURCE_KEY) == source else None


def _map(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all()


def _fingerprint(part: Path) -> bytes:
    """Tell one state of a file from another: parts are only ever replaced whole."""
    status = part.stat()
    return f"{status.st_size} {status.st_mtime_ns}".encode()


def _spare_folder(part: Path) -> Path:
    """Where to map the parts of a folder that cannot be written to."""
    name = hashlib.sha256(str(part.parent.resolve()).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"snac-mapped-{name}"
