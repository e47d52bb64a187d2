"""Files read and resampled by blocks: the very samples of the file read and resampled whole."""

import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snac_model.audio.header import AudioError, open_audio
from snac_model.audio.memory import refuse_too_large
from snac_model.audio.mono_blocks import mono_blocks
from snac_model.audio.reading import read_mono, resample, resampled_blocks
from snac_model.audio.resampling import PIECE_SAMPLES, sinc_resampler

RATES = [8000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def write(path: Path, frames: int, rate: int, channels: int = 1) -> Path:
    noise = 0.1 * np.random.default_rng(frames).standard_normal((frames, channels))
    soundfile.write(
        path, noise.astype("f4"), rate, subtype="FLOAT" if path.suffix == ".wav" else None
    )
    return path


@settings(max_examples=60)
@given(
    st.sampled_from(RATES),
    st.sampled_from(RATES),
    st.integers(0, 3 * PIECE_SAMPLES),
    st.integers(1, 50_000),
)
def test_blocks_are_the_whole_bit_for_bit(
    folder: Path, rate: int, to_rate: int, frames: int, block: int
) -> None:
    path = write(folder / "a.wav", frames, rate)
    whole = resample(*read_mono(path), to_rate)
    blocks = list(resampled_blocks(path, to_rate, max(block, frames // 20)))
    assert torch.equal(torch.cat([torch.zeros(0), *blocks]), whole)
    assert {len(each) for each in blocks[:-1]} <= {max(block, frames // 20)}


@pytest.mark.parametrize("edge", [-1, 0, 1])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_lengths_at_the_edge_of_a_piece(folder: Path, rate: int, edge: int) -> None:
    native = rate // {16_000: 8000, 44_100: 300}[rate]
    frames = 2 * (PIECE_SAMPLES // native) * native + edge
    path = write(folder / "a.wav", frames, rate)
    whole = resample(*read_mono(path), 24_000)
    assert torch.equal(torch.cat(list(resampled_blocks(path, 24_000, 1000))), whole)


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.mp3", "a.opus"])
@pytest.mark.parametrize("channels", [1, 2])
def test_compressed_files_are_read_by_blocks_as_whole(
    folder: Path, name: str, channels: int
) -> None:
    """Their decoders keep a state from one block to the next."""
    path = folder / name
    noise = 0.1 * np.random.default_rng(0).standard_normal((100_000, channels))
    form = {"format": "OGG", "subtype": "OPUS"} if name == "a.opus" else {}
    soundfile.write(path, noise, 48_000, **form)
    with open_audio(path) as (sound, _):
        whole = np.concatenate(list(mono_blocks(sound)))
    for block in (1000, 4096, 30_011):
        with open_audio(path) as (sound, _):
            assert np.array_equal(np.concatenate(list(mono_blocks(sound, 0, -1, block))), whole)
    blocks = torch.cat(list(resampled_blocks(path, 24_000, 7777)))
    assert torch.equal(blocks, resample(torch.from_numpy(whole), 48_000, 24_000))


@settings(max_examples=20)
@given(st.sampled_from(RATES), st.integers(1, 60_000), st.integers(1, 200_000))
def test_a_samples_bits_do_not_depend_on_what_comes_later(rate: int, first: int, more: int) -> None:
    audio = torch.randn(first + more, generator=torch.Generator().manual_seed(first))
    settled = max(0, int((first - 400) * 24_000 / rate))
    part, whole = (resample(audio[:length], rate, 24_000) for length in (first, first + more))
    assert torch.equal(part[:settled], whole[:settled])


def test_bits_do_not_depend_on_the_batch_or_on_threads() -> None:
    audio = torch.randn(3, 2, 50_000, generator=torch.Generator().manual_seed(0))
    together = resample(audio, 44_100, 24_000)
    before = torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        alone = [resample(row, 44_100, 24_000) for row in audio.flatten(0, 1)]
        assert torch.equal(torch.stack(alone).unflatten(0, (3, 2)), together)
    torch.set_num_threads(before)


def test_gradients_pass_through_resampling() -> None:
    sinc_resampler.cache_clear()
    with torch.inference_mode():
        resample(torch.randn(1, 1, 3000), 48_000, 24_000)  # whoever comes first makes the kernel
    audio = torch.randn(2, 1, 3000, requires_grad=True)
    resample(audio, 48_000, 24_000).sum().backward()
    assert audio.grad is not None
    assert audio.grad.shape == audio.shape


def test_memory_does_not_grow_with_the_file(folder: Path) -> None:
    def peak(frames: int) -> int:
        path = write(folder / "a.wav", frames, 8000, channels=2)
        tracemalloc.start()
        for _ in resampled_blocks(path, 24_000, 24_000):
            pass
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(100_000)
    assert peak(1_600_000) < peak(200_000) + 100_000


def test_what_is_wrong_with_a_file_is_said_when_it_is_met(folder: Path) -> None:
    samples = np.zeros((200_000, 1), "f4")
    samples[150_000] = np.nan
    soundfile.write(folder / "a.wav", samples, 48_000, subtype="FLOAT")
    blocks = resampled_blocks(folder / "a.wav", 24_000, 10_000)
    assert len(next(blocks)) == 10_000
    with pytest.raises(AudioError) as caught:
        list(blocks)
    assert caught.value.reason == "non_finite"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"),
        RuntimeError("CUDA out of memory. Tried to allocate 20 GiB"),
    ],
)
def test_a_lack_of_memory_refuses_one_utterance(error: Exception) -> None:
    with pytest.raises(AudioError) as caught, refuse_too_large():
        raise error
    assert caught.value.reason == "too_large"


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes"), refuse_too_large():
        raise RuntimeError("shapes do not match")


def test_audio_too_large_for_memory_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    path = write(folder / "a.wav", 1000, 8000)
    monkeypatch.setattr("snac_model.audio.reading.mono_blocks", fail)
    with pytest.raises(AudioError) as caught:
        read_mono(path)
    assert caught.value.reason == "too_large"
    with pytest.raises(AudioError) as caught:
        resample(torch.zeros(1).expand(2**50), 8000, 24_000)
    assert caught.value.reason == "too_large"
