"""One small corpus, held in every form that people hold speech in."""

import csv
import gzip
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
from syllables import syllables

RATE = 24_000


@dataclass(frozen=True)
class Utterance:
    """An utterance: its samples as int16 ``[T]``, and what is said of it."""

    name: str
    samples: np.ndarray
    text: str
    speaker: str

    @property
    def flac(self) -> bytes:
        """The audio as a file's bytes."""
        return encoded(self.samples)

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.samples) / RATE


def utterances(count: int = 24) -> list[Utterance]:
    """Return utterances of different lengths, some of them equal."""
    return [
        Utterance(
            f"u{number:03}",
            np.round(syllables(1.0 + 0.05 * (number % 7), RATE, number) * 2**15).astype("i2"),
            f'Satz {number}, „schön" gesagt',
            f"s{number % 3}",
        )
        for number in range(count)
    ]


def encoded(samples: np.ndarray) -> bytes:
    """Return samples as the bytes of a flac file."""
    content = io.BytesIO()
    soundfile.write(content, samples, RATE, format="FLAC")
    return content.getvalue()


def write_tar(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Write a tar."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def write_lines(path: Path, rows: Iterable[Any]) -> None:
    """Write JSON lines, or lines of text; compressed where the name says so."""
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_files(folder: Path, some: list[Utterance]) -> None:
    """Write a file each."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in some:
        (folder / f"{one.name}.flac").write_bytes(one.flac)


def write_long(path: Path, some: list[Utterance], silence: int = 0) -> list[tuple[int, int]]:
    """Write all into one recording; return the first frame of each, and the one behind it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    gap = np.zeros(silence, "i2")
    soundfile.write(path, np.concatenate([x for one in some for x in (gap, one.samples)]), RATE)
    stops = np.cumsum([silence + len(one.samples) for one in some])
    return [
        (int(stop) - len(one.samples), int(stop)) for one, stop in zip(some, stops, strict=True)
    ]


def webdataset(folder: Path, some: list[Utterance]) -> Path:
    """Tars with a json beside each audio, in shards."""
    for shard, start in enumerate(range(0, len(some), 10)):
        members = []
        for one in some[start : start + 10]:
            said = json.dumps({"text": one.text, "speaker": one.speaker, "dnsmos": 3.5})
            members += [(f"{one.name}.flac", one.flac), (f"{one.name}.meta.json", said.encode())]
        write_tar(folder / f"{shard:06}.tar", members)
    return folder


def parquet(folder: Path, some: list[Utterance]) -> Path:
    """Write files of the Hugging Face Hub, with small row groups."""
    folder.mkdir(parents=True)
    for number, start in enumerate(range(0, len(some), 10)):
        rows = [
            {
                "audio": {"bytes": one.flac, "path": f"{one.name}.flac"},
                "transcription": one.text,
                "speaker_id": one.speaker,
            }
            for one in some[start : start + 10]
        ]
        path = folder / f"data-{number:05}-of-00003.parquet"
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=4)
    return folder


def kaldi(folder: Path, some: list[Utterance]) -> Path:
    """Write a folder with one long recording, and segments of it."""
    spans = write_long(folder / "audio" / "long.flac", some, silence=777)
    write_lines(folder / "wav.scp", ["long audio/long.flac"])
    pairs = list(zip(some, spans, strict=True))
    write_lines(
        folder / "segments",
        [f"{one.name} long {start / RATE:.6f} {stop / RATE:.6f}" for one, (start, stop) in pairs],
    )
    write_lines(folder / "text", [f"{one.name} {one.text}" for one in some])
    write_lines(folder / "utt2spk", [f"{one.name} {one.speaker}" for one in some])
    return folder


def kaldi_files(folder: Path, some: list[Utterance]) -> Path:
    """Write a folder without segments."""
    write_files(folder / "wav", some)
    write_lines(folder / "wav.scp", [f"{one.name} {folder}/wav/{one.name}.flac" for one in some])
    write_lines(folder / "text", [f"{one.name}\t{one.text}" for one in some])
    write_lines(folder / "utt2spk", [f"{one.name} {one.speaker}" for one in some])
    return folder


def nemo(folder: Path, some: list[Utterance]) -> Path:
    """Write a manifest of segments of a long recording."""
    spans = write_long(folder / "long.flac", some)
    rows = [
        {
            "audio_filepath": "long.flac",
            "offset": start / RATE,
            "duration": one.seconds,
            "text": one.text,
            "speaker": one.speaker,
        }
        for one, (start, _) in zip(some, spans, strict=True)
    ]
    write_lines(folder / "manifest.json", rows)
    return folder / "manifest.json"


def nemo_tarred(folder: Path, some: list[Utterance]) -> Path:
    """Write NeMo's tars, and the one manifest of all of them."""
    rows = []
    for shard, start in enumerate(range(0, len(some), 10)):
        part = some[start : start + 10]
        write_tar(folder / f"audio_{shard}.tar", [(f"{one.name}.flac", one.flac) for one in part])
        rows += [
            {"audio_filepath": f"{one.name}.flac", "duration": one.seconds, "shard_id": shard}
            | {"text": one.text, "speaker": one.speaker}
            for one in part
        ]
    write_lines(folder / "tarred_audio_manifest.json", rows)
    return folder / "tarred_audio_manifest.json"


def nemo_files(folder: Path, some: list[Utterance]) -> Path:
    """Write a manifest of files, whose durations are rounded."""
    write_files(folder, some)
    rows = [
        {"audio_filepath": f"{folder}/{one.name}.flac", "duration": round(one.seconds, 2)}
        | {"text": one.text, "speaker": one.speaker}
        for one in some
    ]
    write_lines(folder / "manifest.jsonl", rows)
    return folder / "manifest.jsonl"


def _cut(one: Utterance, source: dict[str, Any], start: float, length: float) -> dict[str, Any]:
    recording = {
        "id": one.name,
        "sources": [{"channels": [0], **source}],
        "sampling_rate": RATE,
        "num_samples": round(length * RATE),
        "duration": length,
        "channel_ids": [0],
    }
    supervision = {"id": one.name, "recording_id": one.name, "start": 0.0, "channel": 0}
    supervision |= {"duration": one.seconds, "text": one.text, "speaker": one.speaker}
    cut = {"id": one.name, "start": start, "duration": one.seconds, "channel": 0}
    return {**cut, "supervisions": [supervision], "recording": recording, "type": "MonoCut"}


def cuts(folder: Path, some: list[Utterance]) -> Path:
    """Write lhotse's cuts of one long recording."""
    spans = write_long(folder / "long.flac", some)
    source = {"type": "file", "source": str(folder / "long.flac")}
    length = spans[-1][1] / RATE
    rows = [_cut(one, source, s / RATE, length) for one, (s, _) in zip(some, spans, strict=True)]
    write_lines(folder / "cuts.jsonl.gz", rows)
    return folder / "cuts.jsonl.gz"


def shar(folder: Path, some: list[Utterance]) -> Path:
    """Write lhotse's Shar."""
    for shard, start in enumerate(range(0, len(some), 10)):
        part = some[start : start + 10]
        placeholder = {"type": "shar", "source": ""}
        rows = [_cut(one, placeholder, 0.0, one.seconds) for one in part]
        write_lines(folder / f"cuts.{shard:06}.jsonl.gz", rows)
        members = [
            (f"{one.name}.{end}", one.flac if end == "flac" else b"{}")
            for one in part
            for end in ("flac", "json")
        ]
        write_tar(folder / f"recording.{shard:06}.tar", members)
    return folder


def csv_table(folder: Path, some: list[Utterance]) -> Path:
    """Write a table with names of its own, beside the folder of files."""
    write_files(folder / "audio", some)
    path = folder / "metadata.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file_name", "sentence", "client_id"])
        writer.writerows([f"audio/{one.name}.flac", one.text, one.speaker] for one in some)
    return path


def tsv_table(folder: Path, some: list[Utterance]) -> Path:
    """Write a table like Common Voice's: bare quotes, clips in a folder that it does not name."""
    write_files(folder / "clips", some)
    rows = [f"{one.speaker}\t{one.name}.flac\t{one.text}" for one in some]
    write_lines(folder / "validated.tsv", ["client_id\tpath\tsentence", *rows])
    return folder / "validated.tsv"


def segments_table(folder: Path, some: list[Utterance]) -> Path:
    """Write JSON lines of segments, with names that must be told."""
    spans = write_long(folder / "long.flac", some)
    rows = [
        {"sid": one.name, "recording": "long.flac", "begin_time": start / RATE}
        | {"end_time": stop / RATE, "text": one.text, "speaker": one.speaker}
        for one, (start, stop) in zip(some, spans, strict=True)
    ]
    write_lines(folder / "segments.jsonl", rows)
    return folder / "segments.jsonl"


Make = Callable[[Path, list[Utterance]], Path]
FORMS: dict[str, Make] = {
    make.__name__: make
    for make in (
        *(webdataset, parquet, kaldi, kaldi_files, nemo, nemo_files, nemo_tarred, cuts, shar),
        *(csv_table, tsv_table, segments_table),
    )
}
TOLD = {
    "segments_table": ("id=sid", "audio=recording", "start=begin_time", "end=end_time"),
}


def make(form: str, folder: Path, some: list[Utterance]) -> tuple[Path, list[str]]:
    """Hold utterances in a form; return the source, and the options that it needs."""
    shutil.rmtree(folder, ignore_errors=True)
    source = FORMS[form](folder, some)
    return source, [part for said in TOLD.get(form, ()) for part in ("--column", said)]
