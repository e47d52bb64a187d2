"""A night survives a bad read: tried again, then replaced and written down; too many stop it."""

import json
from pathlib import Path
from typing import Any

import killing
import numpy as np
import pytest
import torch
from training import make_cache, manifest_of, small_recipe, write_voice
from whole_runs import arguments, metrics, result, run

from snac_common.errors import Failure
from snac_model.audio.header import AudioError, AudioHeader
from snac_train.data import dataset, references
from snac_train.data.inputs import open_inputs
from snac_train.data.reading import Segments
from snac_train.data.slices import Draws
from snac_train.session.run_setup import Start

GONE = "in/train/1"
SHORT = small_recipe(curriculum__epochs="2")
PART = 0.34  # of a split's utterances: two of six


@pytest.fixture
def codes(voices: Path, small_codec: Path, tmp_path: Path) -> Path:
    """Codes of six train utterances, of whose audio one file is gone."""
    for number in range(6):
        write_voice(tmp_path / f"in/train/{number}.wav", 0.3 + 0.1 * number, number)
    for number in range(3):
        write_voice(tmp_path / f"in/val/{number}.wav", 0.4, 10 + number)
    made = make_cache(tmp_path / "in", tmp_path / "artifacts", small_codec)
    (tmp_path / f"{GONE}.wav").unlink()
    return made


def rejects(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "rejects.jsonl").read_text().splitlines()]


def test_another_utterance_takes_its_place(codes: Path, tmp_path: Path) -> None:
    summary = run(SHORT, codes, tmp_path / "run", max_reject_rate=PART)
    assert summary["rejects"] == {"train": 2, "val": 0}
    found = rejects(tmp_path / "run")
    assert [(entry["utterance_id"], entry["split"]) for entry in found] == [(GONE, "train")] * 2
    assert all(entry["step"] and entry["reason"] and entry["detail"] for entry in found)
    assert metrics(tmp_path / "run", "train")[-1]["samples_seen"] == 2 * 6
    assert GONE in (tmp_path / "run/train.log").read_text()


def test_who_takes_its_place_depends_on_nothing_else(codes: Path, tmp_path: Path) -> None:
    """Killed and resumed, or by two processes, the run is the same."""
    roots = [tmp_path / name for name in ("whole", "killed")]
    more = ("--max-reject-rate", PART)
    for root in roots:
        root.mkdir()
    assert killing.run(arguments(roots[0], codes, *more), log=tmp_path / "log") == 0
    moment = killing.Moment("snac_train.training.stage:Stage.step", 6)
    killing.run(arguments(roots[1], codes, *more), moment, log=tmp_path / "log")
    assert killing.run(arguments(roots[1], codes, *more, "--resume"), log=tmp_path / "log") == 0
    assert result(roots[0]) == result(roots[1])
    assert rejects(roots[0] / "runs/one") == rejects(roots[1] / "runs/one")


def test_too_many_stop_the_run_until_they_are_mended(codes: Path, tmp_path: Path) -> None:
    with pytest.raises(Failure, match=rf"1 of 6 train utterances.*{GONE}"):
        run(SHORT, codes, tmp_path / "run", max_reject_rate=0.1)
    for _ in range(2):
        with pytest.raises(Failure, match="max-reject-rate"):
            run(SHORT, codes, tmp_path / "run", max_reject_rate=0.1, start=RESUME)
    summary = run(SHORT, codes, tmp_path / "run", max_reject_rate=PART, start=RESUME)
    assert summary["epochs"] == 2


RESUME = Start(resume=True)


def test_a_validation_goes_on_as_well(codes: Path, tmp_path: Path) -> None:
    write_voice(tmp_path / f"{GONE}.wav", 0.3 + 0.1 * 1, 1)
    (tmp_path / "in/val/0.wav").unlink()
    summary = run(SHORT, codes, tmp_path / "run", max_reject_rate=PART)
    assert summary["rejects"]["val"] == 2 + 2  # epochs, and two passes before them
    with pytest.raises(Failure, match="1 of 3 val utterances could not be read"):
        run(SHORT, codes, tmp_path / "other", max_reject_rate=0.2)


@pytest.fixture
def busy_disk(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Have every other read fail as that of a busy server does; returns the pauses made."""
    pauses: list[float] = []
    read, calls = references.read_with_header, 0

    def read_sometimes(*where: Any) -> tuple[torch.Tensor, AudioHeader]:
        nonlocal calls
        calls += 1
        if calls % 2:
            raise AudioError("unreadable", "Input/output error")
        return read(*where)

    monkeypatch.setattr(references, "read_with_header", read_sometimes)
    monkeypatch.setattr(dataset.time, "sleep", pauses.append)
    return pauses


def test_a_busy_disk_is_asked_again(voices: Path, tmp_path: Path, busy_disk: list[float]) -> None:
    summary = run(SHORT, voices, tmp_path / "run")
    assert summary["rejects"] == {"train": 0, "val": 0}
    assert busy_disk
    assert set(busy_disk) == {dataset.PAUSES_S[0]}


def test_a_disk_that_is_gone_stops_the_run(
    voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AudioError("not_a_file", "no such file")

    monkeypatch.setattr(references, "read_with_header", fail)
    with pytest.raises(Failure, match=r"8 utterances in a row.*Is the disk there\?"):
        run(small_recipe(validation__curriculum="false"), voices, tmp_path / "run")


def test_silence_has_the_shape_of_what_it_stands_in_for(voices: Path) -> None:
    recipe = small_recipe()
    source = open_inputs(recipe, voices, manifest_of(voices)).source(recipe)
    segments = source.dataset(Segments("train", 20, Draws.for_epoch(0, 1)))
    silence, batch = segments.silence(), segments.batch(np.array([0]))
    assert silence.audio.shape == batch.audio.shape
    assert [level.shape for level in silence.codes] == [level.shape for level in batch.codes]
    assert silence.valid.keys() == batch.valid.keys()
    assert not silence.audio.any()
