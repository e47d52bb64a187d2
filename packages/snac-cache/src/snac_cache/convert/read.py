"""Reading codes: from parquet by SQL, from JSON lines and text, from a language model's tokens."""

import codecs
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from snac_cache.convert.formats import TOKENS, parse_line
from snac_cache.convert.rejects import Unusable
from snac_cache.schema import code_column
from snac_cache.store.earlier import check_columns
from snac_cache.store.identity import CacheIdentity
from snac_cache.work import plan_file
from snac_common.errors import BadInput, Failure
from snac_model.tokens.text import Frame, TokenReader

ROWS_AT_ONCE = 256
AUDIO_STARTS = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"ID3", b"FORM", b"\xff\xfb", b"\xff\xf3")
TOKEN_MARK = b"<custom_token_"
BYTES_AT_ONCE = 65536
_LENGTHS = ("num_frames", "source_sample_rate", "num_samples", "duration_s")

# A row of cached codes, or as much of one as there is.
Row = dict[str, Any]


def find_codes(sources: Iterable[str]) -> list[Path]:
    """Return the files of codes in the sources: files themselves, and parquet below folders.

    Raises:
        BadInput: if a source does not exist or holds no codes.
    """
    files = []
    for source in map(Path, sources):
        if source.is_dir():
            found = [path for path in source.rglob("*.parquet") if not _is_record(path, source)]
            if not found:
                raise BadInput(f"no parquet files in {source}")
            files += sorted(found)
        elif source == Path("-") or source.exists():
            files.append(source)
        else:
            raise BadInput(f"there is no file or folder {source}: is its name spelt right?")
    return files


def _is_record(path: Path, source: Path) -> bool:
    """Whether a file tells of the codes, but holds none: a cache's plan, or what was rejected."""
    *folders, name = path.relative_to(source).parts
    return name == "rejects.parquet" or not {"rejects", plan_file.FOLDER}.isdisjoint(folders)


def read_parquet(files: list[Path], where: str | None, tokenizer_sha256: str) -> Iterator[Row]:
    """Yield rows of parquet files, in order, that an SQL condition holds for.

    Raises:
        BadInput: with DuckDB's message, if the condition is wrong.
        Failure: if a file is damaged, or holds codes of another model.
    """
    for file in files:
        _check_model(file, tokenizer_sha256)
    yield from select_rows(files, where)


def select_rows(files: list[Path], where: str | None) -> Iterator[Row]:
    """Yield rows of parquet files, of whatever columns, in order; as ``read_parquet``."""
    condition = f"WHERE ({where}\n)" if where else ""
    query = f"SELECT * FROM read_parquet(?, union_by_name = true) {condition}"
    with duckdb.connect() as connection:
        try:
            answer: Any = connection.sql(query, params=[[str(file) for file in files]])
            for batch in answer.to_arrow_reader(ROWS_AT_ONCE):
                yield from batch.to_pylist()
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            _check_whole(files)
            raise BadInput(f"the codes cannot be selected: {error}") from error


def _check_whole(files: list[Path]) -> None:
    """Raise Failure for the first file that cannot be read to its end, with its checksums."""
    for file in files:
        try:
            with pq.ParquetFile(file, page_checksum_verification=True) as content:
                for _ in content.iter_batches():
                    pass
        except (OSError, pa.ArrowException) as error:
            reason = " ".join(str(error).split())
            raise Failure(f"{file} is damaged ({reason}): make or copy it again") from error


def _check_model(file: Path, tokenizer_sha256: str) -> None:
    """Raise Failure if a file holds no codes, or says that they are of another codec."""
    try:
        footer = pq.read_metadata(file)
        check_columns(file, footer.schema.to_arrow_schema().names)
        identity = CacheIdentity.from_metadata(footer.metadata or {})
    except KeyError:
        return  # made by somebody else: the codes' range and number are checked all the same
    except (OSError, ValueError, pa.ArrowException) as error:
        raise Failure(
            f"{file} cannot be read as parquet: {error}. Give files that snac-encode or snac-cache "
            "wrote."
        ) from error
    if identity.tokenizer_sha256 != tokenizer_sha256:
        raise Failure(
            f"{file} holds codes of another model, {identity.model}: its encoder or quantizer "
            "differs. Give that model, or one fine-tuned from it, with --model."
        )


def refuse_audio(start: bytes, file: Path) -> None:
    """Raise BadInput if a file's first bytes are those of audio."""
    name = "standard input" if file == Path("-") else str(file)
    if start.startswith(AUDIO_STARTS) or start[4:8] == b"ftyp":
        raise BadInput(
            f"{name} is audio, and snac-decode reads codes; snac-encode makes codes of it"
        )


def read_lines(file: Path) -> Iterator[Row | Unusable]:
    """Yield rows of JSON lines or text; for a line that is none, what is wrong with it."""
    with _opened(file) as data:
        for number, line in enumerate(data, start=1):
            if number == 1:
                refuse_audio(line, file)
            if line.strip():
                yield _parse(line, number)


def _parse(line: bytes, number: int) -> Row | Unusable:
    try:
        return {"utterance_id": _line_name(number), **parse_line(line.decode())}
    except (ValueError, RecursionError) as error:
        if TOKEN_MARK in line:
            raise BadInput(
                f"line {number} holds the tokens of a language model: give --tokens orpheus, or "
                "--tokens FILE with another layout"
            ) from error
        return Unusable("bad_line", f"line {number}: {error}", _line_name(number))


def read_token_lines(file: Path, reader: TokenReader) -> Iterator[Row | Unusable]:
    """Yield a row for each line of a language model's tokens that has a whole frame.

    A line is the tokens themselves, or a JSON object that has them as text in ``tokens``, and what
    ``snac-encode`` says beside them: an id, and the length of the audio.
    """
    with _opened(file) as data:
        first = data.readline()
        refuse_audio(first, file)
        if not first.lstrip().startswith(b"{"):
            yield from _rows_of(reader, _frames(chain([first], _pieces(data)), reader))
            return
        for line in chain([first], data):
            yield from _rows_of_object(line, reader)


def _rows_of(
    reader: TokenReader, frames_read: Iterator[Frame | None], said: Row | None = None
) -> Iterator[Row]:
    frames: list[Frame] = []
    for frame in frames_read:
        if frame is not None:
            frames.append(frame)
        elif frames:
            levels = enumerate(reader.layout.to_levels(frames))
            codes = {code_column(level): tokens for level, tokens in levels}
            yield {"utterance_id": _line_name(reader.line - 1), **(said or {}), **codes}
            frames = []


def _rows_of_object(line: bytes, reader: TokenReader) -> Iterator[Row | Unusable]:
    """Yield the row of one JSON line; where a frame was skipped, its length is not known."""
    number, bad = reader.line, reader.bad
    try:
        said = json.loads(line)
        text = said.pop(TOKENS).replace("\n", " ") + "\n"
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError) as error:
        if line.strip():
            detail = f"line {number} is no object with {TOKENS}: {error}"
            yield Unusable("bad_line", detail, _line_name(number))
        text, said = "\n", {}
    for row in _rows_of(reader, reader.feed(text), said):
        unknown = _LENGTHS if reader.bad > bad else ()
        yield {name: value for name, value in row.items() if name not in unknown}


def read_frames(file: Path, reader: TokenReader) -> Iterator[Frame | None]:
    """Yield frames as soon as they are there, and None where a line ends."""
    with _opened(file) as data:
        first = data.read1(BYTES_AT_ONCE)
        refuse_audio(first, file)
        yield from _frames(chain([first], _pieces(data)), reader)


def _frames(pieces: Iterable[bytes], reader: TokenReader) -> Iterator[Frame | None]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")  # what is no text is a bad token
    for piece in pieces:
        yield from reader.feed(decoder.decode(piece))
    yield from reader.finish()


def _pieces(data: Any) -> Iterator[bytes]:
    while some := data.read1(BYTES_AT_ONCE):
        yield some


def _line_name(number: int) -> str:
    """Return the id of an utterance that has none but its place."""
    return f"line-{number:06d}"


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """Open a file to read bytes; standard input stays open."""
    if file == Path("-"):
        yield sys.stdin.buffer
        return
    with file.open("rb") as data:
        yield data
