"""Listening samples: which utterances, and the files that they become."""

import json
from pathlib import Path
from typing import Any

import pytest
import soundfile
from evaluation import LENGTHS_S, Workplace, read_rows
from workplace import last_line


@pytest.fixture(scope="module")
def model(workplace: Workplace) -> Path:
    return workplace.save_model("heard", lambda model: None)


def samples(folder: Path) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads((folder / "audio" / "samples.json").read_text())
    return listed


def test_numbered_files_of_every_version(workplace: Workplace, model: Path) -> None:
    folder = workplace.evaluate(model, "--samples", 2)
    versions = (
        "01_reference_48k",
        "02_base_24k",
        "03_base-resampled_48k",
        "04_heard_24k",
        "05_heard_48k",
    )
    expected = {f"{number:03d}_{version}.wav" for number in (1, 2) for version in versions}
    assert {path.name for path in (folder / "audio").iterdir()} == expected | {"samples.json"}
    for sample in samples(folder):
        seconds = LENGTHS_S[int(sample["utterance_id"][-1])]
        for file in sample["files"]:
            info = soundfile.info(folder / "audio" / file)
            assert info.samplerate == int(file[-7:-5]) * 1000
            assert info.duration == pytest.approx(seconds, abs=1e-4)


@pytest.mark.parametrize(("pick", "sign"), [("best", 1), ("worst", -1)])
def test_the_best_and_the_worst_by_loss(
    workplace: Workplace, model: Path, pick: str, sign: int
) -> None:
    folder = workplace.evaluate(model, "--samples", 3, "--pick", pick)
    losses = {
        row["utterance_id"]: row["value"]
        for row in read_rows(folder)
        if (row["model"], row["rate"], row["metric"]) == ("heard", 48000, "loss")
    }
    ranked = sorted(losses, key=lambda utterance_id: sign * losses[utterance_id])
    assert [sample["utterance_id"] for sample in samples(folder)] == ranked[:3]
    assert {sample["chosen_as"] for sample in samples(folder)} == {pick}


def test_a_mixture_names_each_utterance_once(workplace: Workplace, model: Path) -> None:
    found = samples(workplace.evaluate(model, "--samples", 4))
    assert [sample["chosen_as"] for sample in found] == ["worst", "best", "random", "random"]
    assert len({sample["utterance_id"] for sample in found}) == 4


def test_utterances_by_name(workplace: Workplace, model: Path) -> None:
    asked = ("val/utterance 3", "val/utterance 0")
    folder = workplace.evaluate(model, *(part for name in asked for part in ("--id", name)))
    assert [sample["utterance_id"] for sample in samples(folder)] == list(asked)


@pytest.mark.parametrize(
    "condition",
    [
        "duration_s > 1",
        '"48k/loss" > 0 AND len(codes_0) > 8 AND duration_s > 1 -- the longer ones',
        "utterance_id IN (SELECT utterance_id FROM metrics) AND duration_s BETWEEN 1 AND 2",
    ],
)
def test_utterances_by_a_condition(workplace: Workplace, model: Path, condition: str) -> None:
    found = samples(workplace.evaluate(model, "--samples", 3, "--where", condition))
    assert {sample["utterance_id"] for sample in found} <= {"val/utterance 1", "val/utterance 3"}
    assert found


def test_an_earlier_evaluation_leaves_no_samples_behind(workplace: Workplace, model: Path) -> None:
    workplace.evaluate(model, "--samples", 3)
    folder = workplace.evaluate(model, "--samples", 1)
    assert len(list((folder / "audio").glob("*.wav"))) == 5


def test_models_whose_names_make_one_file_name_have_files_of_their_own(
    workplace: Workplace,
) -> None:
    quiet = workplace.save_model("x y", lambda model: model.head_48k.final[1].bias.fill_(0.5))  # type: ignore[operator]
    other = workplace.save_model("x-y", lambda model: None)
    folder = workplace.evaluate(quiet, other, "--samples", 1, "--name", "alike")
    (sample,) = samples(folder)
    assert len(set(sample["files"])) == len(sample["files"]) == 7
    sounds = [(folder / "audio" / file).read_bytes() for file in sample["files"]]
    assert sounds[4] != sounds[6]


def test_a_condition_that_nothing_meets_leaves_all_else(workplace: Workplace, model: Path) -> None:
    result = workplace.run(model, "--samples", 1, "--where", '"48k/loss" > 1e6')
    assert (result.exit_code, last_line(result)["samples"]) == (0, 0)
    assert "no utterance meets it" in result.stderr
