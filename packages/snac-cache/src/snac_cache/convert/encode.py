"""Audio files, folders and standard input to codes."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from snac_cache.convert.ahead import map_ahead
from snac_cache.convert.converted import Converted
from snac_cache.convert.rejects import Rejects
from snac_cache.convert.seconds import SecondsDone
from snac_cache.convert.write import Write
from snac_cache.encoding.encoder import UtteranceEncoder
from snac_cache.encoding.stream import Utterance, encode_stream
from snac_cache.manifests.sources import loose_sources
from snac_cache.sources.forms import FOLDER
from snac_cache.sources.inspect import Durations
from snac_cache.sources.scan import scan
from snac_cache.store.parts import codes_table, reject_row
from snac_cache.store.records import Encoded
from snac_common.devices import prepare_cpu_worker
from snac_common.errors import BadInput
from snac_common.progress import progress
from snac_model.audio.header import AudioError
from snac_model.codec.snac import SNAC

READING_THREADS = 8
ROWS_AT_ONCE = {"cpu": 8, "cuda": 512}

Results = dict[int, Encoded | AudioError]


def encode_files(
    model: SNAC,
    device: str,
    sources: list[Path],
    write: Write,
    rejects: Rejects,
    *,
    threads: int,
) -> Converted:
    """Encode all audio below the sources, in the order of its paths; memory is bounded.

    Progress is shown, by the second of audio.

    Args:
        model: loaded; its weight norm is folded.
        device: ``cpu``, where each of the ``threads`` encodes one utterance at a time, or ``cuda``.
        sources: files and folders; ``-`` is audio on standard input.
        write: takes rows of cached codes.

    Raises:
        BadInput: if a source does not exist or holds no audio.
    """
    if device == "cpu":
        prepare_cpu_worker()
    encoder = UtteranceEncoder(model, torch.device(device))
    done = Converted()
    with _standard_input_as_file(sources) as files, ExitStack() as shown:
        tables = _scan(files, rejects)
        seconds = sum(sum(table["duration_s"].to_pylist()) for table in tables)
        told = _Told(
            SecondsDone(shown.enter_context(progress(int(seconds), "encode", "s of audio")))
        )
        encoder.piece_done = told.piece
        groups = _groups(tables, ROWS_AT_ONCE[device])
        for rows, results in map_ahead(lambda rows: _encode(encoder, rows), groups, threads):
            told.finished(rows)
            if files != sources:
                rows[0] |= {"audio_path": "-", "target_path": None}  # not where it was kept
            encoded = {}
            for key, result in results.items():
                if isinstance(result, Encoded):
                    encoded[key] = result
                else:
                    rejects.add(reject_row(rows[key], result))
            write(codes_table(rows, encoded, model.geometry.levels))
            done.utterances += len(encoded)
            done.audio_seconds += sum(rows[key]["duration_s"] for key in encoded)
    return done


class _Told:
    """Which seconds of audio progress was told of: pieces of long utterances, then the others."""

    def __init__(self, seconds_done: SecondsDone) -> None:
        self.seconds_done = seconds_done
        self.pieces: dict[str, float] = {}

    def piece(self, utterance_id: str, seconds: float) -> None:
        self.pieces[utterance_id] = self.pieces.get(utterance_id, 0.0) + seconds
        self.seconds_done(seconds)

    def finished(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            self.seconds_done(row["duration_s"] - self.pieces.pop(row["utterance_id"], 0))


@contextmanager
def _standard_input_as_file(sources: list[Path]) -> Iterator[list[Path]]:
    """Yield the sources, or for ``-`` a file that holds standard input.

    Readers of audio formats seek, which cannot be done in a pipe.
    """
    if Path("-") not in sources:
        yield sources
        return
    if len(sources) > 1:
        raise BadInput("standard input (-) is a source by itself: name no other beside it")
    with tempfile.TemporaryDirectory(prefix="snac-") as folder:
        spooled = Path(folder) / "stdin"
        with spooled.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield [spooled]


def _scan(files: list[Path], rejects: Rejects) -> list[pa.Table]:
    found = scan(
        loose_sources(files),
        val_ratio=0.0,
        with_targets=False,
        form=FOLDER,
        durations=Durations(shortest=0.0),
        workers=READING_THREADS,
        advance=lambda count: None,
    )
    for row in found.rejects.to_pylist():
        rejects.add(row)
    return list(found.rows.values())


def _groups(tables: list[pa.Table], size: int) -> Iterator[list[dict[str, Any]]]:
    for table in tables:
        for start in range(0, table.num_rows, size):
            yield table.slice(start, size).to_pylist()


def _encode(
    encoder: UtteranceEncoder, rows: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], Results]:
    utterances = [Utterance(position, row) for position, row in enumerate(rows)]
    threads = 1 if encoder.device.type == "cpu" else READING_THREADS
    return rows, dict(sorted(encode_stream(encoder, [utterances], threads)))
