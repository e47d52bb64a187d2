"""Where snac-decode puts audio: ids that are no good names, links, full disks, many files."""

import json
import os
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from models import NARROW, seeded
from workplace import last_line, run, snapshot

from snac_cache.convert.audio_out import AudioOutput
from snac_cache.convert.decode import decode_utterances
from snac_cache.convert.rejects import Rejects
from snac_cache.convert.utterance import CodedUtterance
from snac_cache.convert.utterance_decoder import DecodeRequest, UtteranceDecoder
from snac_model import SNAC, DualHeadSNAC

DECODE = "snac_cache.cli.decode"
MODEL = ["--model", "builtin:speech-small", "--device", "cpu", "--workers", 1, "--noise", "off"]


def line(utterance_id: str, tokens: int = 1) -> str:
    """Return a JSON line of codes."""
    codes = {f"codes_{level}": [7] * (tokens << level) for level in range(3)}
    return json.dumps({"utterance_id": utterance_id, **codes})


def decode(output: Path, ids: list[str], *options: object) -> dict[str, Any]:
    """Decode an utterance for each id, of which some may be rejected; return the summary."""
    stdin = "\n".join(map(line, ids)) + "\n"
    result = run(DECODE, "-", "-o", output, *MODEL, "--max-reject-rate", 1, *options, stdin=stdin)
    assert result.exit_code == 0, result.stderr
    assert all(text.isprintable() for text in result.stderr.split("\n"))
    return last_line(result)


@pytest.mark.parametrize("ids", [["a/b", "a//b", "./a/b", "a/./b", "a/b/"], ["./a/./b", "a/b"]])
def test_ids_that_name_one_file_are_duplicates(tmp_path: Path, ids: list[str]) -> None:
    summary = decode(tmp_path / "out", ids)
    assert (summary["utterances"], summary["rejects"]) == (1, {"duplicate_id": len(ids) - 1})
    assert snapshot(tmp_path / "out").keys() == {"a/b.wav"}


BAD_NAMES = {
    "a NUL": "a\0b",
    "a lone surrogate": "a\udc80",
    "too long": "x" * 252,
    "too long in other letters": "ü" * 126,
    "a folder of too long a name": "x" * 256 + "/a",
    "too long a path": "/".join(["x" * 250] * 20),
    "no name": ".",
    "nothing": "",
    "outside": "a/../../b",
    "absolute": "/tmp/a",
}


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
def test_an_id_that_is_no_name_is_rejected_and_the_others_decoded(
    tmp_path: Path, name: str
) -> None:
    summary = decode(tmp_path / "out", ["before", name, "after"])
    assert (summary["utterances"], summary["rejects"]) == (2, {"bad_name": 1})
    assert snapshot(tmp_path / "out").keys() == {"before.wav", "after.wav"}
    (reject,) = (tmp_path / "out.rejects.jsonl").read_text().splitlines()
    assert json.loads(reject)["utterance_id"] == name


def test_a_name_as_long_as_the_system_allows_is_decoded(tmp_path: Path) -> None:
    name = "ü" * 125
    assert decode(tmp_path / "out", [name])["utterances"] == 1
    assert snapshot(tmp_path / "out").keys() == {f"{name}.wav"}


@pytest.mark.parametrize("ids", [["a", "a.wav/b"], ["a.wav/b", "a"], ["a", "a.wav/b/c"]])
def test_a_file_where_a_folder_must_be_is_rejected(tmp_path: Path, ids: list[str]) -> None:
    for _ in range(2):  # into an empty folder, and over what the first left
        summary = decode(tmp_path / "out", [*ids, "c"])
        assert (summary["utterances"], summary["rejects"]) == (2, {"bad_name": 1})
        assert snapshot(tmp_path / "out").keys() == {f"{ids[0]}.wav", "c.wav"}


def test_an_id_is_needed(tmp_path: Path) -> None:
    text = line("a") + "\n" + line("b").replace('"b"', "null") + "\n"
    options = ["-o", tmp_path / "out", *MODEL, "--max-reject-rate", 1]
    assert last_line(run(DECODE, "-", *options, stdin=text))["rejects"] == {"bad_name": 1}


@pytest.mark.parametrize("name", ["link/a", "folder/link/a", "link/folder/a"])
def test_links_within_the_folder_lead_nowhere(tmp_path: Path, name: str) -> None:
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    for folder in (out / "folder", elsewhere / "folder"):
        folder.mkdir(parents=True)
    for link in (out / "link", out / "folder" / "link"):
        link.symlink_to(elsewhere)
    assert decode(out, [name, "b"])["rejects"] == {"bad_name": 1}
    assert snapshot(elsewhere) == {}
    assert (out / "b.wav").is_file()


def test_the_folder_itself_may_be_a_link_and_a_link_in_a_files_place_is_replaced(
    tmp_path: Path,
) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "disk" / "a.wav").symlink_to(tmp_path / "kept")
    assert decode(tmp_path / "out", ["a"])["utterances"] == 1
    assert (tmp_path / "kept").read_text() == "kept"
    assert soundfile.info(tmp_path / "disk" / "a.wav").frames == 2048


def test_what_killed_commands_left_in_the_folders_is_cleared(tmp_path: Path) -> None:
    old = [
        tmp_path / name for name in ("out/.x.wav-abcdefgh.partial", "out/sub/.y-12345678.partial")
    ]
    for path in old:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (0, 0))
    decode(tmp_path / "out", ["a", "sub/b"])
    assert snapshot(tmp_path / "out").keys() == {"a.wav", "sub/b.wav"}


@pytest.fixture
def full_disk() -> Iterator[None]:
    """A limit on the size of files, which stands in for a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_a_full_disk_is_a_clear_error(tmp_path: Path, kind: str) -> None:
    options = ["-o", tmp_path / "out", *MODEL, "--format", kind]
    stopped = run(DECODE, "-", *options, stdin=line("sub/a", tokens=40) + "\n")
    assert stopped.exit_code == 1
    assert f"error: cannot write {tmp_path / 'out' / 'sub' / 'a'}.{kind}: " in stopped.stderr
    assert "GB are free" in stopped.stderr
    assert snapshot(tmp_path) == {}


@pytest.fixture(scope="module")
def model() -> SNAC:
    return DualHeadSNAC.from_base(seeded(NARROW["24k"])).eval().fold_weight_norm()


def utterances(count: int) -> list[CodedUtterance]:
    """Return utterances of two lengths, each of other codes."""
    random = np.random.default_rng(0)
    lengths = [1 + number % 2 for number in range(count)]
    return [
        CodedUtterance(f"{number}", [random.integers(0, 256, length << n) for n in range(3)])
        for number, length in enumerate(lengths)
    ]


REQUEST = DecodeRequest(rates=(24000, 48000), noise="off", device="cpu", threads=1)


@pytest.fixture
def few_files() -> Iterator[None]:
    """Let the process open a dozen files more than it has open.

    The system's limit is one on the descriptors' numbers, and a test before this one may have left
    a free number below others in use: free numbers are taken first.
    """
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(number) for number in os.listdir("/dev/fd"))
    fillers = [os.open(os.devnull, os.O_RDONLY)]
    while fillers[-1] <= highest:
        fillers.append(os.open(os.devnull, os.O_RDONLY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (fillers[-1] + 1 + 12, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
    for filler in fillers:
        os.close(filler)


@pytest.mark.usefixtures("few_files")
def test_a_batch_opens_few_files(tmp_path: Path, model: SNAC) -> None:
    batch = utterances(40)[::2]
    output = AudioOutput(str(tmp_path), ".wav", REQUEST.rates)
    UtteranceDecoder(model, REQUEST).decode(batch, output)
    assert len(snapshot(tmp_path)) == 2 * len(batch)


def decode_rows(
    folder: Path, model: SNAC, request: DecodeRequest, items: list[CodedUtterance]
) -> None:
    """Decode utterances as the command does, from rows."""
    rows = [
        {"utterance_id": item.utterance_id}
        | {f"codes_{n}": level.tolist() for n, level in enumerate(item.codes)}
        for item in items
    ]
    output = AudioOutput(str(folder), ".wav", request.rates)
    done = decode_utterances(
        model, rows, request, output, Rejects(), seconds_done=lambda seconds: None
    )
    assert done.utterances == len(items)


@pytest.mark.usefixtures("few_files")
@pytest.mark.parametrize("batch_seconds", [0.2, 240.0])
@pytest.mark.parametrize("noise", ["off", 3])
def test_batches_give_the_audio_of_each_utterance_alone(
    tmp_path: Path, model: SNAC, batch_seconds: float, noise: str | int
) -> None:
    alone = replace(REQUEST, noise=noise)
    together = replace(alone, batch_seconds=batch_seconds)
    items = utterances(20)
    decode_rows(tmp_path / "alone", model, alone, items)
    decode_rows(tmp_path / "together", model, together, items)
    files = snapshot(tmp_path / "alone")
    assert files.keys() == snapshot(tmp_path / "together").keys()
    assert len(set(files.values())) == 2 * len(items)
    for name in files:
        one, other = (
            soundfile.read(tmp_path / folder / name, dtype="int16")[0].astype(int)
            for folder in ("alone", "together")
        )
        assert np.abs(one - other).max() <= 1
