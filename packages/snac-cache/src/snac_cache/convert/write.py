"""Writing codes: parquet with the cache's schema, JSON lines, text, or tokens."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from snac_cache import schema
from snac_cache.convert.formats import to_json, to_json_with_tokens, to_text
from snac_cache.schema import code_column
from snac_cache.store.identity import CacheIdentity
from snac_common.errors import BadInput
from snac_common.files import atomic_path, clear_leftovers
from snac_model.tokens.layout import TokenLayout

FORMATS = {".parquet": "parquet", ".jsonl": "jsonl", ".txt": "text"}

ROWS_IN_GROUP = 4096
BYTES_IN_GROUP = 32 * 2**20

Write = Callable[[pa.Table], object]


def choose_token_format(output: str, asked: str | None) -> str:
    """Return the format of a language model's tokens: text, or JSON lines, which keep the ids.

    Raises:
        BadInput: if it is to be parquet.
    """
    if asked == "parquet" or (asked is None and output.endswith(".parquet")):
        raise BadInput(
            "--tokens writes lines of text or of JSON: parquet with ids is made of a cache, by "
            "snac-tokens"
        )
    return asked or ("jsonl" if output.endswith(".jsonl") else "text")


def choose_format(output: str, asked: str | None) -> str:
    """Return the format asked for, else what the output's name says; a pipe takes JSON lines.

    Raises:
        BadInput: if the name says nothing, or a pipe is to take parquet.
    """
    if output == "-" and asked == "parquet":
        raise BadInput("parquet cannot be written to a pipe: give -o FILE.parquet")
    chosen = asked or ("jsonl" if output == "-" else FORMATS.get(Path(output).suffix))
    if chosen is None:
        raise BadInput(f"-o {output}: end it in {', '.join(FORMATS)}, or give --format")
    return chosen


@contextmanager
def codes_writer(
    output: str, how: str, layout: TokenLayout | None, identity: CacheIdentity
) -> Iterator[Write]:
    """Yield a function that writes rows of cached codes; a file appears when all are written."""
    levels = identity.codec_geometry().levels
    if output != "-":
        clear_leftovers(Path(output).parent)
    if how == "parquet":
        with _parquet_writer(Path(output), identity, levels) as write:
            yield write
        return
    lines = _lines(how, layout, levels)
    if output == "-":
        yield lambda table: _write_lines(table, lines, sys.stdout)
        return
    with atomic_path(Path(output)) as temporary, temporary.open("w", encoding="utf-8") as file:
        yield lambda table: _write_lines(table, lines, file)
        file.flush()


@contextmanager
def _parquet_writer(path: Path, identity: CacheIdentity, levels: int) -> Iterator[Write]:
    columns = schema.codes(levels).with_metadata(identity.to_metadata())
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, columns, compression="zstd", write_page_checksum=True) as file,
    ):
        groups = RowGroups(file, columns)
        yield groups.add
        groups.flush()


class RowGroups:
    """Gathers rows into groups large enough to be read fast and compressed well.

    Memory is bounded: a group is written when it has enough rows, or enough bytes.
    """

    def __init__(self, file: pq.ParquetWriter, columns: pa.Schema) -> None:
        self.file = file
        self.columns = columns
        self.tables: list[pa.Table] = []
        self.rows = self.bytes = 0

    def add(self, table: pa.Table) -> None:
        """Take rows."""
        self.tables.append(table.replace_schema_metadata(self.columns.metadata))
        self.rows += table.num_rows
        self.bytes += table.nbytes
        if self.rows >= ROWS_IN_GROUP or self.bytes >= BYTES_IN_GROUP:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are still in memory."""
        if self.tables:
            self.file.write_table(pa.concat_tables(self.tables).combine_chunks())
        self.tables.clear()
        self.rows = self.bytes = 0


def _lines(how: str, layout: TokenLayout | None, levels: int) -> Callable[[dict[str, Any]], str]:
    if layout and how == "jsonl":
        return lambda row: to_json_with_tokens(row, layout)
    if layout:
        return lambda row: layout.text([row[code_column(level)] for level in range(levels)])
    return to_json if how == "jsonl" else lambda row: to_text(row, levels)


def _write_lines(table: pa.Table, line: Callable[[dict[str, Any]], str], file: IO[str]) -> None:
    file.writelines(line(row) + "\n" for row in table.to_pylist())
    file.flush()
