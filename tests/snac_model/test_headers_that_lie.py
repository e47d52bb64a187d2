"""Headers are believed only as far as the file's bytes can hold what they promise."""

import contextlib
import os
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from flac_of_silence import silent_flac
from hypothesis import given
from hypothesis import strategies as st
from torchaudio.transforms import Resample

from snac_model.audio import file_bytes
from snac_model.audio.header import AudioError, read_header
from snac_model.audio.header_bounds import most_frames
from snac_model.audio.reading import read_mono
from snac_model.audio.sinc_kernel import ROLLOFF, ZERO_CROSSINGS, kernel_bytes, kernel_width

RATE = 48_000
COMMON_RATES = [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 192000]


def write_noise(path: Path, seconds: float = 2.0, rate: int = RATE, **options: str) -> Path:
    noise = 0.1 * np.random.default_rng(0).standard_normal((round(seconds * rate), 1))
    soundfile.write(path, noise, rate, **options)
    return path


def with_rate(path: Path, rate: int) -> Path:
    """Change the sample rate in the header of a canonical WAV file."""
    content = bytearray(path.read_bytes())
    content[24:28] = rate.to_bytes(4, "little")
    path.write_bytes(content)
    return path


def reason(path: Path) -> str:
    """The reason with which the header is refused, and the audio too."""
    with pytest.raises(AudioError) as of_header:
        read_header(path)
    with pytest.raises(AudioError) as of_audio:
        read_mono(path)
    assert of_audio.value.reason == of_header.value.reason
    return of_header.value.reason


@pytest.mark.parametrize("bit", range(4))
def test_a_flipped_bit_in_the_length_of_a_flac_is_refused(tmp_path: Path, bit: int) -> None:
    """The upper bits of the length, which promise gigabytes."""
    path = write_noise(tmp_path / "a.flac")
    content = bytearray(path.read_bytes())
    content[21] ^= 1 << bit
    path.write_bytes(content)
    assert reason(path) == "bad_header"


def test_a_lie_within_the_bound_costs_no_memory_and_is_found_when_reading(tmp_path: Path) -> None:
    path = write_noise(tmp_path / "a.flac")
    content = bytearray(path.read_bytes())
    content[22] ^= 1 << 4  # 2 ** 28 frames more, 1 GiB
    path.write_bytes(content)
    assert read_header(path).num_frames == 2 * RATE + 2**28
    tracemalloc.start()
    with pytest.raises(AudioError, match="cut short: 96000 of") as caught:
        read_mono(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.reason == "unreadable"
    assert peak < 100e6


def test_a_false_frame_count_of_an_mp3_is_refused(tmp_path: Path) -> None:
    path = write_noise(tmp_path / "a.mp3")
    content = bytearray(path.read_bytes())
    place = max(content.find(b"Xing"), content.find(b"Info"))
    content[place + 8] ^= 0x10
    path.write_bytes(content)
    assert reason(path) == "bad_header"


@pytest.mark.parametrize("blocks", [1, 7, 300])
def test_digital_silence_in_the_largest_flac_blocks_is_no_lie(tmp_path: Path, blocks: int) -> None:
    """Nothing legitimate says more with fewer bytes."""
    path = tmp_path / "silence.flac"
    path.write_bytes(silent_flac(blocks))
    assert read_header(path).num_frames == blocks * 65_535
    silence, _ = read_mono(path)
    assert len(silence) == blocks * 65_535
    assert not silence.any()


# How many frames a number of bytes can hold depends on the rate where a format's frames do.
OF_A_RATE = [("a.ogg", "VORBIS"), ("a.ogg", "OPUS"), ("a.mp3", "MPEG_LAYER_III")]


@pytest.mark.parametrize(
    ("name", "subtype", "rate"),
    [
        *[("a.wav", kind, 8000) for kind in ("PCM_U8", "PCM_16", "PCM_24", "DOUBLE", "ULAW")],
        *[("a.wav", kind, 8000) for kind in ("IMA_ADPCM", "MS_ADPCM", "GSM610", "NMS_ADPCM_16")],
        *[("a.flac", kind, 8000) for kind in ("PCM_S8", "PCM_16", "PCM_24")],
        *[("a.caf", kind, 8000) for kind in ("ALAC_16", "ALAC_24")],
        *[(name, kind, rate) for name, kind in OF_A_RATE for rate in (8000, 48_000)],
        ("a.aiff", "PCM_16", 8000),
        ("a.w64", "PCM_16", 8000),
        ("a.au", "G721_32", 8000),
    ],
)
def test_every_format_passes_with_hours_of_silence_or_none(
    tmp_path: Path, name: str, subtype: str, rate: int
) -> None:
    for frames in (1, 1000, 1_000_000):
        soundfile.write(tmp_path / name, np.zeros((frames, 1)), rate, subtype=subtype)
        assert read_header(tmp_path / name).num_frames >= frames


def test_a_wav_can_hold_no_more_than_its_bytes() -> None:
    assert most_frames("WAV", "PCM_16", 2, 4000) == 1000
    assert most_frames("WAV", "DOUBLE", 1, 4000) == 500


@pytest.mark.parametrize("rate", [1, 100, 1999, 768_001, 44_101, 8009, 1_000_003, 22_051])
def test_odd_rates_are_refused(tmp_path: Path, rate: int) -> None:
    assert reason(with_rate(write_noise(tmp_path / "a.wav"), rate)) == "odd_rate"


@pytest.mark.parametrize("rate", [*COMMON_RATES, 2000, 37_800, 47_952, 50_000, 384_000, 768_000])
def test_rates_that_speech_has_are_read(tmp_path: Path, rate: int) -> None:
    assert read_header(with_rate(write_noise(tmp_path / "a.wav"), rate)).sample_rate == rate


@given(st.sampled_from(COMMON_RATES), st.sampled_from([16_000, 24_000, 48_000]))
def test_the_kernels_size_is_torchaudios(from_rate: int, to_rate: int) -> None:
    if from_rate != to_rate:
        made = Resample(from_rate, to_rate, lowpass_filter_width=ZERO_CROSSINGS, rolloff=ROLLOFF)
        assert kernel_width(from_rate, to_rate) == made.width
        assert kernel_bytes(from_rate, to_rate) == made.kernel.numel() * 8  # made in float64


def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.wav")
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "device.wav").symlink_to("/dev/zero")
    found: dict[str, str] = {}

    def read_all() -> None:
        for path in sorted(tmp_path.iterdir()):
            found[path.stem] = reason(path)

    reader = threading.Thread(target=read_all, daemon=True)
    reader.start()
    reader.join(20)
    assert found == dict.fromkeys(("device", "fifo", "folder"), "not_a_file")


def test_a_file_that_became_a_fifo_after_the_scan_is_refused(tmp_path: Path) -> None:
    path = write_noise(tmp_path / "a.wav")
    read_header(path)
    path.unlink()
    os.mkfifo(path)
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(reason(path)), daemon=True)
    reader.start()
    reader.join(20)
    assert found == ["not_a_file"]


@pytest.mark.parametrize("name", ["a\0b.wav", "\ud800.wav"])
def test_names_that_no_file_can_have_are_refused(name: str) -> None:
    assert reason(Path(name)) == "unreadable"


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    good, bad = write_noise(tmp_path / "a.flac"), tmp_path / "b.wav"
    bad.write_bytes(b"no audio" * 100)
    os.mkfifo(tmp_path / "fifo")
    before = sorted(os.listdir("/proc/self/fd"))
    for path in (good, bad, tmp_path / "fifo", tmp_path / "none"):
        for read in (read_header, read_mono):
            with contextlib.suppress(AudioError):
                read(path)
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_a_scan_asks_the_system_for_each_file_as_little_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Millions of headers are read over NFS: one open and one look at the open file."""
    path = write_noise(tmp_path / "a.flac")
    asked: list[str] = []
    for name in ("open", "stat", "fstat", "lstat"):
        real = getattr(os, name)

        def counted(
            *values: object, name: str = name, real: object = real, **more: object
        ) -> object:
            asked.append(name)
            return real(*values, **more)  # type: ignore[operator]

        monkeypatch.setattr(file_bytes.os, name, counted)
    read_header(path)
    assert asked == ["open", "fstat"]
