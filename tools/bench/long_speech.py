"""A cache as snac-cache would write it, over files as long as utterances usually are."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile

from snac_cache.fingerprint import audio_fingerprint
from snac_cache.schema import MANIFEST, SOURCE
from snac_cache.store.identity import CacheIdentity
from snac_cache.store.parts import write_part
from snac_cache.store.records import Agreement, Encoded
from snac_cache.work.plan import LARGEST_PART, part_sizes
from snac_cache.work.plan_file import FOLDER, write_plan
from snac_model.audio.header import read_header
from snac_model.codec.snac import SNAC
from snac_model.shapes.config import SNAC_24KHZ
from snac_model.shapes.geometry import Geometry

SHORTEST_SECONDS, LONGEST_SECONDS = 5.0, 12.0


def join_speech(speech: Path, folder: Path, suffix: str) -> list[Path]:
    """Join the files below ``speech``, in order, to files of 5 to 12 s; leave out the rest."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    joined: list[Path] = []
    waiting: list[np.ndarray] = []
    wanted = random.uniform(SHORTEST_SECONDS, LONGEST_SECONDS)
    for path in sorted(speech.rglob("*.flac")):
        audio, rate = soundfile.read(path, dtype="int16")
        waiting.append(audio)
        if sum(map(len, waiting)) >= wanted * rate:
            joined.append(folder / f"long-{len(joined):04d}.{suffix}")
            soundfile.write(joined[-1], np.concatenate(waiting)[: int(wanted * rate)], rate)
            waiting, wanted = [], random.uniform(SHORTEST_SECONDS, LONGEST_SECONDS)
    return joined


def write_cache(files: list[Path], codes: Path, rows: int = LARGEST_PART) -> None:
    """Write ``rows`` rows over places of audio, each its own 48 kHz target, with random codes."""
    model = SNAC(**SNAC_24KHZ.to_dict())
    identity = CacheIdentity.of(model, "seeded", "fp32")
    table = pa.Table.from_pylist(list(_rows(files, rows)), MANIFEST)
    random = np.random.default_rng(0)
    plan = write_plan(codes / FOLDER, {"train": (table, part_sizes(rows, LARGEST_PART))}, SOURCE)
    for part in plan.parts:
        listed = plan.rows(part).to_pylist()
        write_part(
            codes,
            part,
            rows=listed,
            results={i: _encoded(row, model.geometry, random) for i, row in enumerate(listed)},
            identity=identity,
            agreement=Agreement(),
        )


def _rows(files: list[Path], count: int) -> Iterator[dict[str, object]]:
    """Yield manifest rows that share the files."""
    headers = [(str(path), read_header(path)) for path in files]
    for number in range(count):
        path, header = headers[number % len(headers)]
        yield {
            "utterance_id": f"utterance-{number:06d}",
            "split": "train",
            "audio_path": path,
            "source_sample_rate": header.sample_rate,
            "channels": header.channels,
            "num_frames": header.num_frames,
            "duration_s": header.duration_s,
            "audio_fingerprint": audio_fingerprint(path),
            "target_path": path,
        }


def _encoded(row: dict[str, int], geometry: Geometry, random: np.random.Generator) -> Encoded:
    """Return random codes of the right length."""
    samples = geometry.samples_from(row["source_sample_rate"], row["num_frames"])
    size = SNAC_24KHZ.codebook_size
    tokens = geometry.encoded_tokens(samples)
    return Encoded(samples, [random.integers(0, size, count, np.uint16) for count in tokens])
