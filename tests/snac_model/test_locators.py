"""Audio in tars, in parquet files, and segments of long recordings, read where it lies."""

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from syllables import syllables

from snac_cache.fingerprint import audio_fingerprint
from snac_model.audio import parquet_cells
from snac_model.audio.header import AudioError, read_header
from snac_model.audio.locators import Locator, file_of, is_plain, named_file, parse
from snac_model.audio.reading import read_mono, resampled_blocks

RATE = 24_000
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=20)
NUMBERS = st.integers(0, 10**17)


def encoded(form: str, seconds: float = 2.0, rate: int = RATE, subtype: str | None = None) -> bytes:
    """Return an audio file's bytes."""
    content = io.BytesIO()
    soundfile.write(content, syllables(seconds, rate, seed=3), rate, subtype, format=form)
    return content.getvalue()


def in_tar(path: Path, *members: tuple[str, bytes]) -> list[str]:
    """Write a tar; return the locator of each member."""
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    with tarfile.open(path) as tar:
        ends = [-(-(m.offset_data + m.size) // 512) * 512 for m in tar]
    return [f"{path}?o={o}&e={e}" for o, e in zip([0, *ends], ends, strict=False)]


def in_parquet(path: Path, *contents: bytes | None, group: int = 2) -> list[str]:
    """Write parquet with a Hugging Face audio column; return the locator of each row."""
    table = pa.table({"audio": [{"bytes": content, "path": None} for content in contents]})
    pq.write_table(table, path, row_group_size=group)
    rows = range(len(contents))
    return [f"{path}?g={row // group}&r={row % group}&c=audio.bytes" for row in rows]


def reason(where: str | Path) -> str:
    """Return the reason with which audio is refused."""
    with pytest.raises(AudioError) as caught:
        read_mono(where)
    return caught.value.reason


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3"])
def test_audio_in_a_container_is_what_it_is_by_itself(tmp_path: Path, form: str) -> None:
    content, other = encoded(form), encoded("WAV", 1.0)
    alone = tmp_path / "a.audio"
    alone.write_bytes(content)
    name = "a" * 120 + "/é.audio"  # longer than a plain header holds
    places = in_tar(tmp_path / "some.tar", ("first", other), (name, content), ("last", other))
    cells = in_parquet(tmp_path / "some.parquet", other, None, content, other)
    for place in (places[1], cells[2]):
        assert read_header(place) == read_header(alone)
        assert torch.equal(read_mono(place)[0], read_mono(alone)[0])
        assert torch.equal(read_mono(place, 777, 999)[0], read_mono(alone, 777, 999)[0])
        assert audio_fingerprint(place) == audio_fingerprint(alone)


SEEKING = [
    ("WAV", "PCM_16", RATE),
    ("WAV", "IMA_ADPCM", RATE),
    ("WAV", "GSM610", 8000),
    ("FLAC", "PCM_16", RATE),
    ("OGG", "VORBIS", RATE),
    ("OGG", "OPUS", RATE),
    ("MP3", "MPEG_LAYER_III", RATE),
]


@pytest.mark.parametrize(("form", "subtype", "rate"), SEEKING)
def test_a_segment_is_bit_for_bit_what_it_is_in_the_whole(
    tmp_path: Path, form: str, subtype: str, rate: int
) -> None:
    alone = tmp_path / "a.audio"
    alone.write_bytes(encoded(form, 4.0, rate, subtype))
    places = in_tar(tmp_path / "some.tar", ("a", alone.read_bytes()))
    whole, _ = read_mono(alone)
    for start in range(0, len(whole) - rate, rate // 7):
        frames = min(rate + start % 101, len(whole) - start)
        for segment in (f"{alone}?start={start}&", f"{places[0]}&start={start}&"):
            found, _ = read_mono(f"{segment}frames={frames}")
            assert torch.equal(found, whole[start : start + frames])
            assert read_header(f"{segment}frames={frames}").num_frames == frames


def test_a_segment_is_a_file_of_its_own(tmp_path: Path) -> None:
    long, cut = tmp_path / "long.flac", tmp_path / "cut.flac"
    audio = np.round(syllables(4.0, RATE) * 2**15).astype("i2")
    soundfile.write(long, audio, RATE)
    soundfile.write(cut, audio[30_000:60_000], RATE)
    segment = f"{long}?start=30000&frames=30000"
    assert torch.equal(read_mono(segment, 29_000, 5000)[0], read_mono(cut, 29_000, 5000)[0])
    blocks = torch.cat(list(resampled_blocks(segment, 16_000, 1000)))
    assert torch.equal(blocks, torch.cat(list(resampled_blocks(cut, 16_000, 1000))))
    with pytest.raises(AudioError, match="it has 30000 frames"):
        read_mono(segment, 30_001)
    assert reason(f"{long}?start=90000&frames=6001") == "beyond_end"


def test_segments_of_one_recording_have_fingerprints_of_their_own(tmp_path: Path) -> None:
    long = tmp_path / "long.flac"
    soundfile.write(long, syllables(4.0, RATE), RATE)
    segments = [f"{long}?start={start}&frames={n}" for start, n in ((0, 9), (0, 10), (1, 9))]
    assert len({audio_fingerprint(where) for where in [str(long), *segments]}) == 4
    soundfile.write(long, syllables(4.0, RATE, seed=9), RATE)
    assert audio_fingerprint(segments[0]).startswith("frames:0+9:flac:")


def test_a_long_recording_is_not_read_for_a_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen where every read passes through our hands: in a tar."""
    (place,) = in_tar(tmp_path / "some.tar", ("a.flac", encoded("FLAC", 12.0)))
    size, real, read = os.path.getsize(tmp_path / "some.tar"), os.preadv, [0]

    def counted(descriptor: int, buffers: list[memoryview], at: int) -> int:
        read[0] += (count := real(descriptor, buffers, at))
        return count

    monkeypatch.setattr(os, "preadv", counted)
    read_mono(f"{place}&start=240000&frames=4800")
    assert 0 < read[0] < size / 4


@pytest.mark.parametrize(
    "name", ["a?o=0&e=9999999", "a.tar?o=0&e=1024", "x?g=0&r=0&c=a", "?start=1"]
)
def test_a_file_whose_name_looks_like_a_place_is_a_file(tmp_path: Path, name: str) -> None:
    in_tar(tmp_path / "a.tar", ("other.wav", encoded("WAV", 1.0)))
    path = tmp_path / name
    path.write_bytes(encoded("FLAC"))
    assert is_plain(path)
    assert len(read_mono(path)[0]) == 2 * RATE
    assert len(read_mono(f"{path}?start=5&frames=10")[0]) == 10
    assert file_of(f"{path}?start=5&frames=10") == path


PLACES = st.builds(
    Locator,
    NAMES.map("/nowhere/{}".format),
    member=st.none() | st.tuples(NUMBERS, NUMBERS),
    cell=st.none() | st.tuples(NUMBERS, NUMBERS, NAMES),
    segment=st.none() | st.tuples(NUMBERS, NUMBERS),
)


@given(PLACES.filter(lambda place: not (place.member and place.cell)))
def test_places_are_read_as_they_are_written(place: Locator) -> None:
    if place != Locator(place.path):
        assert parse(str(place)) == place
        assert named_file(str(place)) == place.path
        assert not is_plain(str(place))


def test_what_a_tar_does_not_hold_is_refused(tmp_path: Path) -> None:
    content, tar = encoded("WAV"), tmp_path / "some.tar"
    first, second, *_ = in_tar(tar, ("a.wav", content), ("b.wav", content), ("empty.wav", b""))
    size = tar.stat().st_size
    assert reason(f"{tar}?o=100&e=9999") == "torn_tar"
    assert reason(f"{tar}?o={size}&e={size + 1024}") == "torn_tar"
    assert reason(f"{tar}?o={10**17}&e={10**17}") == "torn_tar"
    assert reason(f"{tar}?o=0&e=1024") == "torn_tar"
    assert reason(f"{tar}?o={second.split('=')[-1]}&e={size}") == "empty"
    os.truncate(tar, size // 2)
    assert reason(second) == "torn_tar"
    assert read_mono(first)
    assert reason(f"{tmp_path}/none.tar?o=0&e=1024") == "unreadable"
    assert reason(f"{tmp_path}?o=0&e=1024") == "not_a_file"


def test_what_a_parquet_file_does_not_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.parquet"
    good, null = in_parquet(path, encoded("WAV"), None)
    assert read_mono(good)
    assert reason(null) == "empty"
    for wrong in ("g=1&r=0&c=audio.bytes", "g=0&r=2&c=audio.bytes", "g=0&r=0&c=audio.none"):
        assert reason(f"{path}?{wrong}") == "unreadable"
    assert reason(f"{path}?g=0&r=0&c=sound") == "unreadable"
    path.write_bytes(b"no parquet")
    assert reason(good) == "unreadable"


def test_row_groups_are_read_once_and_do_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = encoded("WAV")
    places = in_parquet(tmp_path / "some.parquet", *[content] * 12)
    read, real = [], parquet_cells._read

    def counted(key: parquet_cells.Key) -> object:
        read.append(key)
        return real(key)

    monkeypatch.setattr(parquet_cells, "_read", counted)
    monkeypatch.setattr(parquet_cells, "MOST_BYTES", 5 * len(content))
    for place in places:
        read_mono(place)
    assert len(read) == 6
    assert len(parquet_cells._kept.columns) == 2
