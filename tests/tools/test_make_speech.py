"""The quick start's own audio: the same each time, and with something for 48 kHz to learn."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from workplace import succeed


def make(folder: Path, *options: str) -> dict[str, str]:
    """Run the script; return the SHA-256 of each file by its name below the folder."""
    done = succeed("tools.make_speech", "-o", folder, *options)
    digests = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    assert done["files"] == len(digests)
    return digests


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speech")
    make(folder, "--train", "6", "--val", "2")
    return folder


def power(path: Path, low: float, high: float) -> float:
    """Return the share of the file's energy between two frequencies."""
    audio, rate = soundfile.read(path)
    energy = np.abs(np.fft.rfft(audio)) ** 2
    frequencies = np.fft.rfftfreq(len(audio), 1 / rate)
    return float(energy[(frequencies >= low) & (frequencies < high)].sum() / energy.sum())


def test_a_file_depends_on_the_seed_its_split_and_its_index_alone(tmp_path: Path) -> None:
    first = make(tmp_path / "first", "--train", "3", "--val", "2")
    fewer = make(tmp_path / "fewer", "--train", "1", "--val", "2")
    other = make(tmp_path / "other", "--train", "3", "--val", "2", "--seed", "1")
    assert len(first) == len(set(first.values())) == 5
    assert fewer.items() < first.items()
    assert not set(first.values()) & set(other.values())


def test_files_are_48_khz_mono_of_different_lengths(made: Path) -> None:
    headers = [soundfile.info(path) for path in made.rglob("*.flac")]
    assert {(h.samplerate, h.channels, h.subtype) for h in headers} == {(48000, 1, "PCM_16")}
    assert all(1.19 < header.duration < 6.01 for header in headers)
    assert len({header.frames for header in headers}) == len(headers) == 8


def test_energy_reaches_20_khz_and_most_of_it_is_voice(made: Path) -> None:
    for path in made.rglob("*.flac"):
        assert power(path, 0, 4000) > 0.8
        assert power(path, 12000, 16000) > 1e-4
        assert power(path, 16000, 20000) > 1e-4


def test_nothing_clips_and_the_ends_are_quiet(made: Path) -> None:
    for path in made.rglob("*.flac"):
        audio, rate = soundfile.read(path)
        assert 0.2 < np.abs(audio).max() < 0.9
        assert np.abs(audio[: rate // 50]).max() < 0.01
        assert np.abs(audio[-rate // 50 :]).max() < 0.01
