"""Audio files, folders and standard input to codes."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from snac_cache.convert.ahead import map_ahead
from snac_cache.convert.converted import Converted
from snac_cache.convert.rejects import Rejects
from snac_cache.convert.write import Write
from snac_cache.encoding.encoder import UtteranceEncoder
from snac_cache.encoding.stream import Utterance, encode_stream
from snac_cache.manifests.scan import Durations, scan
from snac_cache.manifests.sources import loose_sources
from snac_cache.store.parts import codes_table, reject_row
from snac_cache.store.records import Encoded
from snac_common.devices import prepare_cpu_worker
from snac_common.errors import BadInput
from snac_model.audio_header import AudioError
from snac_model.codec import SNAC

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
    advance: Callable[[int], object],
) -> Converted:
    """Encode all audio below the sources, in the order of its paths; memory is bounded.

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
    with _standard_input_as_file(sources) as files:
        groups = _groups(_scan(files, rejects), ROWS_AT_ONCE[device])
        for rows, results in map_ahead(lambda rows: _encode(encoder, rows), groups, threads):
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
            advance(len(rows))
    return done


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
