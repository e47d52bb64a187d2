"""Slices of reference audio are those of the whole file's, whatever its rate."""

from pathlib import Path

import pytest
import torch
from training import write_voice

from snac_cache.store.code_store import CachedUtterance
from snac_common.errors import Failure
from snac_model.audio.reading import read_mono, resample
from snac_train.data.references import Reference, Sources, Targets

RATES = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000)


def utterance(path: Path, rate: int, frames: int) -> CachedUtterance:
    return CachedUtterance(
        utterance_id="one",
        split="train",
        audio_path=str(path),
        source_sample_rate=rate,
        channels=1,
        num_frames=frames,
        audio_fingerprint=None,
        target_path=str(path),
        bandwidth_hz=None,
        num_samples=-(-frames * 24_000 // rate),
    )


@pytest.mark.parametrize("rate", RATES)
def test_a_slice_of_a_source_is_that_of_its_whole_resampling(tmp_path: Path, rate: int) -> None:
    write_voice(tmp_path / "one.wav", 0.61, 1, rate)
    whole, _ = read_mono(tmp_path / "one.wav")
    expected = resample(whole, rate, 24_000)
    one = utterance(tmp_path / "one.wav", rate, len(whole))
    sources = Sources(24_000)
    assert sources.frames(one) == len(expected)
    for start, stop in ((0, len(expected)), (1, 700), (4_097, 9_001), (12_345, len(expected))):
        difference = sources.read(one, start, stop) - expected[start:stop]
        assert difference.abs().max() < 1e-6, (start, stop)


@pytest.mark.parametrize("reference", [Sources(24_000), Targets()])
def test_beyond_the_file_there_is_silence(tmp_path: Path, reference: Reference) -> None:
    write_voice(tmp_path / "one.wav", 0.3, 1)
    one = utterance(tmp_path / "one.wav", 48_000, 14_400)
    frames = reference.frames(one)
    audio = reference.read(one, -50, frames + 70)
    assert len(audio) == frames + 120
    assert torch.equal(audio[50 : 50 + frames], reference.read(one, 0, frames))
    assert audio[: 50 - 20].abs().max() < 1e-3
    assert audio[50 + frames + 20 :].abs().max() < 1e-3
    assert not reference.read(one, frames + 1_000, frames + 1_100).any()


@pytest.mark.parametrize("reference", [Sources(24_000), Targets()])
def test_another_file_than_was_encoded_is_refused(tmp_path: Path, reference: Reference) -> None:
    write_voice(tmp_path / "one.wav", 0.3, 1)
    with pytest.raises(Failure, match=r"14400 frames at 48000 Hz, but 14401 frames"):
        reference.read(utterance(tmp_path / "one.wav", 48_000, 14_401), 0, 100)
