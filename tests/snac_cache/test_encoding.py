"""Encoding as a worker does it: batches, too little memory, any length, any order."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from workplace import query, run, snapshot, succeed, write_tone

from snac_cache.encoding.encoder import UtteranceEncoder
from snac_cache.encoding.reading import Row
from snac_cache.encoding.stream import Result, Utterance, encode_stream
from snac_cache.store.records import Encoded
from snac_model import load
from snac_model.audio.header import AudioError
from snac_model.audio.reading import read_mono, resample
from snac_model.codec.snac import Encoder

CACHE = "snac_cache.cli.cache"
MANIFEST = "snac_cache.cli.manifest"

OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 1 byte"),
    MemoryError(),
]


@pytest.fixture
def rows(manifest_folder: Path) -> list[Row]:
    return pq.read_table(manifest_folder / "train.parquet").to_pylist()


@pytest.fixture
def encoder(model_folder: Path) -> UtteranceEncoder:
    return UtteranceEncoder(load(model_folder), torch.device("cpu"))


def encode(encoder: UtteranceEncoder, rows: Sequence[Row], threads: int = 2) -> dict[int, Result]:
    """Encode rows as one window; return the results by position."""
    utterances = [Utterance(position, row) for position, row in enumerate(rows)]
    return dict(encode_stream(encoder, [utterances], threads))


def alone(encoder: UtteranceEncoder, row: Row) -> list[np.ndarray]:
    """Encode one utterance by the codec's own method."""
    audio = resample(*read_mono(row["audio_path"]), encoder.geometry.sample_rate)
    with torch.inference_mode():
        return [level[0].numpy() for level in encoder.model.encode(audio[None, None])]


def share_of_equal(encoder: UtteranceEncoder, rows: Sequence[Row], results: object) -> float:
    """Compare results with those of each utterance alone."""
    assert isinstance(results, dict)
    pairs = [
        (cached, plain)
        for position, row in enumerate(rows)
        for cached, plain in zip(results[position].codes, alone(encoder, row), strict=True)
    ]
    return sum(int((one == other).sum()) for one, other in pairs) / sum(len(a) for a, _ in pairs)


def fail_above(monkeypatch: pytest.MonkeyPatch, samples: int, error: Exception) -> list[int]:
    """Have the encoder lack memory for more than so many samples; return the sizes it was given."""
    whole: Callable[[Encoder, torch.Tensor], torch.Tensor] = Encoder.forward
    sizes: list[int] = []

    def forward(self: Encoder, audio: torch.Tensor) -> torch.Tensor:
        sizes.append(audio.numel())
        if audio.numel() > samples:
            raise error
        return whole(self, audio)

    monkeypatch.setattr(Encoder, "forward", forward)
    return sizes


def test_a_batch_agrees_with_encoding_alone(encoder: UtteranceEncoder, tmp_path: Path) -> None:
    """The path a GPU takes: several lengths that are padded alike, at several rates, in a batch."""
    rows: list[Row] = []
    for number, rate in enumerate((48000, 24000, 44100, 48000, 16000)):
        path = tmp_path / f"{number}.wav"
        write_tone(path, 1.3 + 0.004 * number, rate)
        rows.append(
            {"audio_path": str(path), "source_sample_rate": rate, "audio_fingerprint": None}
            | {"num_frames": round((1.3 + 0.004 * number) * rate), "duration_s": 1.3}
        )
    encoder.batch_samples = 10 * 24000
    seen: list[int] = []
    encoder.model.encoder.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    results = encode(encoder, rows)
    assert seen == [5]
    assert share_of_equal(encoder, rows, results) > 0.99


def test_on_a_processor_codes_are_exactly_those_of_each_utterance_alone(
    encoder: UtteranceEncoder, rows: list[Row]
) -> None:
    for threads in (1, 4):
        assert share_of_equal(encoder, rows, encode(encoder, rows, threads)) == 1


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["gpu", "processor", "python"])
def test_without_memory_for_a_batch_it_is_done_in_halves(
    encoder: UtteranceEncoder, rows: list[Row], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    padded = encoder.geometry.padded_samples(round(24_000 * rows[0]["duration_s"]))
    encoder.batch_samples = 100 * padded
    same = [rows[0]] * 7
    sizes = fail_above(monkeypatch, 2 * padded, error)
    results = encode(encoder, same)
    assert [size // padded for size in sizes] == [7, 4, 2, 2, 2, 1]
    assert share_of_equal(encoder, same, results) > 0.99
    sizes.clear()
    encode(encoder, same)
    assert max(sizes) == 2 * padded  # it is not tried in vain again


def test_other_errors_are_not_taken_for_a_lack_of_memory(
    encoder: UtteranceEncoder, rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_above(monkeypatch, 0, RuntimeError("misaligned address"))
    with pytest.raises(RuntimeError, match="misaligned"):
        encode(encoder, rows)


def test_an_utterance_without_memory_is_encoded_in_pieces(
    encoder: UtteranceEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tone(tmp_path / "in" / "long.wav", 20.0)
    succeed(MANIFEST, tmp_path / "in", "-o", tmp_path / "m", "--val-ratio", 0)
    rows = pq.read_table(tmp_path / "m" / "train.parquet").to_pylist()
    expected = alone(encoder, rows[0])
    fail_above(monkeypatch, 8 * 24_000, OUT_OF_MEMORY[0])
    (result,) = encode(encoder, rows).values()
    assert isinstance(result, Encoded)
    assert result.num_samples == 20 * 24_000
    for level, plain in zip(result.codes, expected, strict=True):
        assert level.dtype == np.uint16
        assert (level == plain).mean() > 0.99


def test_without_any_memory_one_utterance_is_rejected_and_the_night_goes_on(
    tmp_path: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, seconds in enumerate((1.0, 7.0, 1.5)):
        write_tone(tmp_path / "in" / f"{number}.wav", seconds)
    succeed(MANIFEST, tmp_path / "in", "-o", tmp_path / "m", "--val-ratio", 0)
    fail_above(monkeypatch, 2 * 24_000, OUT_OF_MEMORY[1])
    options = ["--model", model_folder, "--manifest", tmp_path / "m", "--codes", tmp_path / "codes"]
    options += ["--device", "cpu", "--workers", 1, "--max-reject-rate", 1]
    cached = succeed(CACHE, *options)
    assert (cached["rows"], cached["rejects"]) == (2, {"too_long_for_device": 1})
    ((name, detail),) = query(
        f"SELECT utterance_id, detail FROM '{tmp_path}/codes/rejects/*.parquet'"
    )
    assert name == "in/1"
    assert "--retry" in detail
    monkeypatch.undo()
    assert succeed(CACHE, *options, "--retry")["rejects"] == {}


@pytest.mark.parametrize("model", ["24k", "44k"])
def test_a_long_utterance_has_the_codes_of_the_whole_and_is_never_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    from models import NARROW, seeded

    encoder = UtteranceEncoder(seeded(NARROW[model]), torch.device("cpu"))
    rate = encoder.geometry.sample_rate
    write_tone(tmp_path / "in" / "long.wav", 14.0, 48000)
    succeed(MANIFEST, tmp_path / "in", "-o", tmp_path / "m", "--val-ratio", 0)
    rows = pq.read_table(tmp_path / "m" / "train.parquet").to_pylist()
    whole = encode(encoder, rows)[0]
    monkeypatch.setattr("snac_cache.encoding.long.WHOLE_SECONDS", 10.0)
    sizes = fail_above(monkeypatch, 9 * rate, AssertionError("too much at once"))
    pieces = encode(encoder, rows)[0]
    assert len(sizes) == 3
    assert isinstance(whole, Encoded)
    assert isinstance(pieces, Encoded)
    assert pieces.num_samples == whole.num_samples
    for one, other in zip(pieces.codes, whole.codes, strict=True):
        assert (one == other).mean() > 0.99


def test_what_is_wrong_with_a_long_file_is_its_result(
    encoder: UtteranceEncoder, rows: list[Row], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("snac_cache.encoding.long.WHOLE_SECONDS", 0.5)
    longer = {**rows[0], "num_frames": rows[0]["num_frames"] + 1}
    gone = {**rows[1], "audio_path": str(tmp_path / "gone.wav")}
    replaced = {**rows[2], "audio_fingerprint": "blocks:1:0"}
    results = encode(encoder, [longer, gone, replaced, rows[3]])
    reasons = [getattr(results[position], "reason", None) for position in range(4)]
    assert reasons == ["wrong_length", "unreadable", "changed_audio", None]
    assert all(isinstance(results[position], AudioError) for position in range(3))


@pytest.mark.parametrize("threads", [1, 3])
def test_parts_do_not_depend_on_the_readers(
    tmp_path: Path, model_folder: Path, manifest_folder: Path, threads: int
) -> None:
    made = []
    for name, number in (("one", 1), ("more", threads)):
        options = ["--model", model_folder, "--manifest", manifest_folder, "--device", "cpu"]
        options += ["--codes", tmp_path / name, "--part-rows", 3, "--workers", 1]
        succeed(CACHE, *options, "--read-threads", number)
        made.append(snapshot(tmp_path / name))
    assert made[0] == made[1]


def test_batches_must_have_some_audio(manifest_folder: Path) -> None:
    refused = run(CACHE, "--manifest", manifest_folder, "--batch-seconds", 0)
    assert refused.exit_code == 2
    assert "--batch-seconds" in refused.stderr
