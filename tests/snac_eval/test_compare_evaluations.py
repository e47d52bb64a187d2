"""What snac-eval measured, in snac-compare: fidelity and realism apart, paired, and in rules."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import Result
from runs import write_run
from workplace import run

from snac_eval.measuring.measure import Row
from snac_eval.measuring.metrics_file import as_table, metrics_writer
from snac_eval.statistics.summary import Summary
from snac_model.files.safetensors_files import stored_sha256, write_safetensors

COUNT = 12


def evaluate(root: Path, name: str, shift: float, **changed: Any) -> None:
    """Write a run, and an evaluation of its best model on twelve utterances."""
    folder = write_run(root, name)
    (folder / "best").mkdir()
    weights = folder / "best" / "model.safetensors"
    write_safetensors({"weight": torch.tensor(shift)}, weights)
    rows = [
        [
            Row(f"val/{number}", model, rate, metric, value + 0.01 * (number % 5) + extra, None)
            for model, extra in (("base", 0.5), (name, shift * (1 + 0.1 * (number % 3))))
            for rate in (24000,)
            for metric, value in (("loss", 1.0), ("sharpness_error", 0.2), ("sharpness", 0.9))
        ]
        for number in range(changed.pop("count", COUNT))
    ]
    results = root / "eval" / f"of-{name}"
    results.mkdir(parents=True)
    summary = Summary("base", 0)
    with metrics_writer(results / "metrics.parquet") as writer:
        for of_one in rows:
            summary.add(of_one)
            writer.add(as_table(of_one))
    models = [
        {"name": "base", "where": "base", "run": None},
        {
            "name": name,
            "where": str(folder / "best"),
            "run": str(folder),
            "weights_sha256": stored_sha256(weights),
        },
    ]
    said = {
        "models": models,
        "base": "base",
        "codes": {"tokenizer_sha256": "a" * 64},
        "segment_s": None,
        "seed": 0,
        "group_by": None,
        "means": [mean.as_mean() for mean in summary.means()],
        **changed,
    }
    (results / "summary.json").write_text(json.dumps(said))


def compare(root: Path, *arguments: object) -> Result:
    return run("snac_eval.cli.compare", "--artifacts", root, "first", "second", *arguments)


def scores(root: Path) -> dict[tuple[str, str], dict[str, Any]]:
    lines = map(json.loads, compare(root, "--format", "jsonl").stdout.splitlines())
    return {(row["metric"], row["run"]): row for row in lines if row["kind"] == "score"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    evaluate(tmp_path, "first", 0.3)
    evaluate(tmp_path, "second", 0.2)
    return tmp_path


def test_of_a_best_model_that_was_replaced_since_nothing_is_shown(root: Path) -> None:
    """As after a run went on: snac-eval measured what best/ held then."""
    weights = root / "runs/second/best/model.safetensors"
    write_safetensors({"weight": torch.tensor(0.1)}, weights)
    assert scores(root)["eval/24k/sharpness_error", "second"]["best"] is None
    stderr = " ".join(compare(root).stderr.split())
    assert "of-second measured an earlier best model of second" in stderr


def test_what_was_measured_of_the_best_models(root: Path) -> None:
    found = scores(root)
    row = found["eval/24k/sharpness_error", "second"]
    assert row["group"] == "realism"
    assert row["start"] == pytest.approx(0.2 + 0.5 + 0.01 * 21 / 12)
    assert row["best"] == row["last"] == pytest.approx(0.2 + 0.2 * 1.1 + 0.01 * 21 / 12)
    assert row["over_start"] == pytest.approx(100 * (1 - row["best"] / row["start"]))
    first = found["eval/24k/sharpness_error", "first"]["best"]
    assert row["over_first"] == pytest.approx(100 * (1 - row["best"] / first))
    assert row["low"] < row["best"] - first < row["high"] < 0
    assert found["eval/24k/loss", "first"]["group"] == "fidelity"
    assert found["eval/24k/loss", "first"]["low"] is None
    assert found["24k/loss", "second"]["group"] == "validation"
    ratio = found["eval/24k/sharpness", "second"]
    assert (ratio["over_start"], ratio["over_first"]) == (None, None), "nearest to 1 is best"
    assert ratio["low"] is not None


def test_people_see_two_groups(root: Path) -> None:
    text = compare(root, "--format", "table").stdout
    assert text.index("48k/loss") < text.index("FIDELITY") < text.index("REALISM")
    assert text.index("FIDELITY") < text.index("eval/24k/loss") < text.index("REALISM")
    assert "95 % of the difference" in text
    page = compare(root, "--format", "html").stdout
    assert page.index("Fidelity, measured by snac-eval") < page.index("Realism, measured by")
    assert "1 is best" in page


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("eval/24k/sharpness_error > start", False),
        ("eval/24k/sharpness_error > first", False),
        ("eval/24k/sharpness_error > first * 0.5", True),
        ("eval/24k/sharpness < 0.9", False),
        ("eval/24k/sharpness > 1.1", True),
    ],
)
def test_rules(root: Path, rule: str, broken: bool) -> None:
    assert compare(root, "--fail-if", rule).exit_code == broken


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"count": 11}, "evaluated utterances"),
        ({"segment_s": 2.0}, "evaluated seconds"),
        ({"codes": {"tokenizer_sha256": "b" * 64}}, "tokenizer in the evaluation"),
    ],
)
def test_what_was_measured_on_something_else_is_not_compared(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    evaluate(tmp_path, "first", 0.3)
    evaluate(tmp_path, "second", 0.2, **changed)
    row = scores(tmp_path)["eval/24k/sharpness_error", "second"]
    assert (row["over_first"], row["low"], row["high"]) == (None, None, None)
    text = compare(tmp_path, "--format", "table").stdout
    assert said in text
    rule = compare(tmp_path, "--fail-if", "eval/24k/sharpness_error > first * 2")
    assert (rule.exit_code, "cannot be judged" in rule.stderr) == (1, True)


def test_groups_drawn_together_have_no_interval_here(tmp_path: Path) -> None:
    evaluate(tmp_path, "first", 0.3, group_by="speaker")
    evaluate(tmp_path, "second", 0.2, group_by="speaker")
    row = scores(tmp_path)["eval/24k/sharpness_error", "second"]
    assert row["over_first"] is not None
    assert row["low"] is None


def test_a_damaged_evaluation_is_named(root: Path) -> None:
    (root / "eval" / "of-second" / "summary.json").write_text("{")
    result = compare(root)
    assert (result.exit_code, "summary.json is damaged" in result.stderr) == (1, True)


def test_an_evaluation_of_another_model_of_the_run_is_not_its(root: Path) -> None:
    path = root / "eval" / "of-second" / "summary.json"
    path.write_text(path.read_text().replace("second/best", "second/best_24k"))
    assert ("eval/24k/loss", "second") in scores(root)
    assert scores(root)["eval/24k/loss", "second"]["best"] is None
