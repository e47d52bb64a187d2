"""What cannot be evaluated is said clearly, and where a value is missing, why."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from evaluation import Workplace, cache, manifest_row, read_means, read_rows
from models import NARROW, seeded
from workplace import last_line, write_tone

from snac_model import save


@pytest.fixture
def elsewhere(workplace: Workplace, tmp_path: Path) -> Callable[..., Workplace]:
    """Make an artifact root of its own, with one utterance whose manifest row is changed."""

    def make(rate: int = 48000, **changes: Any) -> Workplace:
        path = tmp_path / "audio" / "one.wav"
        write_tone(path, 0.6, rate)
        cache([manifest_row(path, **changes)], workplace.base, tmp_path / "codes")
        return replace(workplace, root=tmp_path)

    return make


def failure(place: Workplace, *arguments: object, code: int = 1) -> str:
    """Return the message of an evaluation that must fail."""
    result = place.run(*arguments)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    return result.stderr


def test_without_codes(workplace: Workplace, tmp_path: Path) -> None:
    assert "Run snac-cache" in failure(workplace, workplace.base, "--codes", tmp_path)


def test_with_codes_of_no_utterance(workplace: Workplace, tmp_path: Path) -> None:
    part = next((workplace.root / "codes" / "val").glob("part-*.parquet"))
    (tmp_path / "val").mkdir()
    pq.write_table(pq.read_table(part).slice(0, 0), tmp_path / "val" / part.name)
    there = ("--codes", tmp_path, "--manifest", workplace.root / "codes" / "plan")
    assert "holds no val utterance" in failure(workplace, workplace.base, *there)


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"vq_strides": (8, 2, 1)}, "another geometry")],
)
def test_codes_of_another_model(
    workplace: Workplace, tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    save(seeded(replace(NARROW["24k"], **changes), seed=1), tmp_path / "stranger")
    message = failure(workplace, tmp_path / "stranger")
    assert why in message
    assert str(workplace.base) in message


def test_a_missing_target(elsewhere: Callable[..., Workplace]) -> None:
    place = elsewhere()
    (place.root / "audio" / "one.wav").unlink()
    result = place.run(place.base, "--samples", 1)
    assert result.exit_code == 1
    assert "val/one: cannot read" in result.stderr
    assert "1 of 1 inputs were rejected" in result.stderr
    rows = read_rows(Path(last_line(result)["report"]).parent)
    assert {(row["value"], row["reason"]) for row in rows} == {
        (None, "the reference cannot be read")
    }
    assert all("one.wav" in row["detail"] for row in rows)
    allowed = last_line(place.run(place.base, "--max-reject-rate", 1))
    assert allowed["rejects"] == {"the reference cannot be read": 1}


@pytest.mark.parametrize("cut", [2, 1000])
def test_a_target_that_is_not_the_encoded_audio(
    elsewhere: Callable[..., Workplace], cut: int
) -> None:
    place = elsewhere()
    path = place.root / "audio" / "one.wav"
    audio, rate = soundfile.read(path)
    soundfile.write(path, audio[:-cut], rate)
    result = place.run(place.base)
    assert result.exit_code == 1
    assert "not the audio that 'val/one' was encoded from" in result.stderr
    (reason,) = last_line(result)["rejects"]
    assert reason == "the reference is not the audio that was encoded"


@pytest.mark.parametrize(("rate", "targeted"), [(48000, False), (44100, False), (44100, True)])
def test_without_a_target_only_the_lower_rate_is_judged(
    elsewhere: Callable[..., Workplace], rate: int, targeted: bool
) -> None:
    place = elsewhere(rate, **({} if targeted else {"target_path": None}))
    model = place.save_model("dual", lambda model: None)
    folder = place.evaluate(model)
    for row in read_rows(folder):
        reason = None if row["rate"] == 24000 else "no target at 48000 Hz"
        assert row["reason"] == reason
        assert (row["value"] is None) == (reason is not None)
    mean = read_means(folder)["dual", 48000, "loss"]
    assert (mean["mean"], mean["missing"]) == (None, {"no target at 48000 Hz": 1})
    assert (mean["n"], mean["n_null"]) == (0, 1)
    assert "no target at 48000 Hz" in (folder / "report.html").read_text(encoding="utf-8")


def test_a_silent_utterance_has_no_level_to_compare(elsewhere: Callable[..., Workplace]) -> None:
    place = elsewhere()
    path = place.root / "audio" / "one.wav"
    soundfile.write(path, np.zeros(round(0.6 * 48000)), 48000)
    for row in read_rows(place.evaluate(place.base)):
        silent = row["metric"].startswith(("si_sdr", "level_db", "sharpness", "frechet"))
        assert row["reason"] == ("the reference is silent" if silent else None)
        assert (row["value"] is None) == silent


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--id", "val/nobody"), "--id val/nobody: no such utterance"),
        (("--where", "nonsense >", "--samples", 1), "--where nonsense >"),
        (("--where", "nobody = 1", "--samples", 1), "nobody"),
        (("--where", "audio_path::INT > 1", "--samples", 1), "Could not convert"),
        (("--where", '"48k/loss" > 1', "--samples", 1), "48k/loss"),
    ],
)
def test_samples_that_there_are_not(
    workplace: Workplace, options: tuple[object, ...], why: str
) -> None:
    name = f"bad-samples-{len(why)}"
    assert why in failure(workplace, workplace.base, *options, "--name", name, code=2)
    assert not list((workplace.root / "eval").glob(f"*{name}*")), "found before measuring"


@pytest.mark.parametrize("condition", ["duration_s > 100", '"24k/loss" > 1000'])
def test_a_condition_that_no_utterance_meets_is_a_warning(
    workplace: Workplace, condition: str
) -> None:
    """What was measured is kept; a condition on the manifest is answered before measuring, too."""
    name = f"nothing-{len(condition)}"
    result = workplace.run(
        workplace.base, "--where", condition, "--samples", 2, "--name", name, "--limit", 1
    )
    assert result.exit_code == 0, result.stderr
    warning = f"warning: --where {condition}: no utterance meets it"
    assert result.stderr.count(warning) == (2 if "duration" in condition else 1)
    folder = workplace.root / "eval" / name
    assert read_rows(folder)
    assert 'id="listen"' not in (folder / "report.html").read_text(encoding="utf-8")


def test_a_run_without_a_best_model(elsewhere: Callable[..., Workplace]) -> None:
    place = elsewhere()
    run = place.root / "runs" / "young"
    run.mkdir(parents=True)
    (run / "metrics.jsonl").write_text("")
    assert "no best/ model" in failure(place)
    assert "no best/ model" in failure(place, "young")
    assert "no best/ model" in failure(place, run)


def test_no_run_at_all(elsewhere: Callable[..., Workplace]) -> None:
    assert "Run snac-train" in failure(elsewhere())


def test_a_damaged_log_of_a_run(elsewhere: Callable[..., Workplace]) -> None:
    place = elsewhere()
    run = place.root / "runs" / "odd"
    save(place.load_base(), run / "best")
    (run / "metrics.jsonl").write_text(json.dumps({"step": 1}) + "\nnonsense\n")
    assert "metrics.jsonl, line 2" in failure(place)
    assert not (place.root / "eval").exists(), "found before anything is measured"


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden"])
def test_a_name_that_is_a_path(workplace: Workplace, name: str) -> None:
    assert "--name" in failure(workplace, workplace.base, "--name", name, code=2)
