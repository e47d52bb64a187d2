"""snac-compare: scores, what compares with what, and the forms that it is written in."""

import csv
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from hypothesis import example, given
from hypothesis import strategies as st
from runs import ENTRIES, STATE, entry, scaled, write_run
from workplace import last_line, run

from snac_eval.comparison.comparability import conditions_of
from snac_eval.comparison.run import Run, Source
from snac_eval.comparison.trace import MAX_POINTS, Trace
from snac_train.recipe.load import load_recipe

PARTS = ("loss", "l1", "stft")
TEXTS = ("kind", "metric", "run", "group")


def compare(root: Path, *arguments: object) -> Result:
    return run("snac_eval.cli.compare", "--artifacts", root, *arguments)


def scores(root: Path, *arguments: object) -> dict[tuple[str, str], dict[str, Any]]:
    """Compare as JSON lines; return the scores by metric and run."""
    result = compare(root, "--format", "jsonl", *arguments)
    assert result.exit_code == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return {(row["metric"], row["run"]): row for row in lines if row["kind"] == "score"}


def warnings(root: Path, *arguments: object) -> list[str]:
    lines = compare(root, "--format", "jsonl", *arguments).stdout.splitlines()
    return [row["text"] for row in map(json.loads, lines) if row["kind"] == "warning"]


def test_best_last_and_improvements(tmp_path: Path) -> None:
    write_run(tmp_path, "first")
    write_run(tmp_path, "second", scaled(0.9))
    found = scores(tmp_path, "first", "second")
    row = found["48k/loss", "second"]
    assert (row["best"], row["best_epoch"], row["last"], row["last_epoch"]) == (2.25, 2, 2.43, 3)
    assert (row["start"], row["resampled"]) == (3.4, 5)
    assert row["over_start"] == pytest.approx(100 * (1 - 2.25 / 5)), "never over an untrained head"
    assert row["over_first"] == pytest.approx(10)
    assert found["48k/loss", "first"]["over_first"] is None
    assert [metric for metric, name in found if name == "first"] == ["loss", "24k/loss", "48k/loss"]


def test_of_the_use_of_codebooks_the_highest_is_best(tmp_path: Path) -> None:
    used = [{**entry("val", step), "codebook_0/used": 0.25 * step} for step in (1, 3, 2)]
    write_run(tmp_path, "one", used)
    assert scores(tmp_path, "one")["codebook_0/used", "one"]["best"] == 0.75


def test_other_segment_lengths_are_metrics_of_their_own(tmp_path: Path) -> None:
    lengths = [{**entry("length", step, k24_loss=4 - step), "segment_s": 2.048} for step in (0, 3)]
    write_run(tmp_path, "one", [*ENTRIES, *lengths])
    row = scores(tmp_path, "one")["24k/loss@2.05s", "one"]
    assert (row["start"], row["best"]) == (4, 1)


def test_what_a_phase_does_not_measure_is_absent_and_never_zero(tmp_path: Path) -> None:
    write_run(tmp_path, "twelve")
    write_run(tmp_path, "ten", [entry("val", 1, loss=1.4, k24_loss=1.4)], model__heads=["24k"])
    found = scores(tmp_path, "twelve", "ten")
    absent = found["48k/loss", "ten"]
    assert {
        value for name, value in absent.items() if name not in ("kind", "metric", "run", "group")
    } == {None}
    assert found["24k/loss", "ten"]["over_first"] == pytest.approx(100 * (1 - 1.4 / 1.5))
    assert found["loss", "ten"]["over_first"] is None  # another sum: of one head alone
    said = warnings(tmp_path, "twelve", "ten")
    assert [text for text in said if "Not compared: loss" in text and "model.heads" in text]
    text = compare(tmp_path, "twelve", "ten").stdout
    assert "0.0000" not in text


@pytest.mark.parametrize(
    ("changed", "state", "not_compared"),
    [
        ({"validation__segment_s": 2.0}, {}, "loss, 24k/loss, 48k/loss"),
        ({"validation__seed": 1}, {}, "loss, 24k/loss, 48k/loss"),
        ({"data__reference": "source"}, {}, "loss, 24k/loss, 48k/loss"),
        ({"loss__fft_sizes_48k": [512]}, {}, "loss, 48k/loss"),
        ({"loss__weight_24k": 1.0}, {}, "loss"),
        ({}, {"counts": {"train": 90, "val": 9}}, "loss, 24k/loss, 48k/loss"),
        (
            {},
            {"cache": {"tokenizer_sha256": "d" * 64, "precision": "fp32"}},
            "loss, 24k/loss, 48k/loss",
        ),
    ],
)
def test_numbers_of_different_things_are_not_compared(
    tmp_path: Path, changed: dict[str, Any], state: dict[str, Any], not_compared: str
) -> None:
    write_run(tmp_path, "first")
    write_run(tmp_path, "second", scaled(0.9), state, **changed)
    said = [text for text in warnings(tmp_path, "first", "second") if "not validated on" in text]
    assert len(said) == 1
    assert said[0].endswith(f"Not compared: {not_compared}")
    found = scores(tmp_path, "first", "second")
    blank = [metric for (metric, name), row in found.items() if name == "second"]
    blank = [metric for metric in blank if found[metric, "second"]["over_first"] is None]
    assert ", ".join(blank) == not_compared


@pytest.mark.parametrize(
    "changed",
    [{"optimizer__main_lr": 1e-4}, {"validation__limit": 10}, {"optimizer__precision": "bf16"}],
)
def test_how_a_model_was_trained_does_not_matter(tmp_path: Path, changed: dict[str, Any]) -> None:
    write_run(tmp_path, "first")
    write_run(tmp_path, "second", **changed)
    assert warnings(tmp_path, "first", "second") == []


def test_a_common_starting_model_that_scores_differently_was_heard_on_other_audio(
    tmp_path: Path,
) -> None:
    other = [{**ENTRIES[0], "24k/loss": 2.01}, *ENTRIES[1:]]
    write_run(tmp_path, "first")
    write_run(tmp_path, "second", other)
    assert (
        "of their common starting model 24k/loss is 2.0000 and 2.0100"
        in warnings(tmp_path, "first", "second")[0]
    )
    assert scores(tmp_path, "first", "second")["48k/loss", "second"]["over_first"] is None


def test_other_starting_models_and_unknown_settings_are_mentioned(tmp_path: Path) -> None:
    write_run(tmp_path, "first")
    write_run(tmp_path, "second", state={"base_sha256": "e" * 64})
    assert "different models" in warnings(tmp_path, "first", "second")[0]
    bare = write_run(tmp_path, "bare")
    (bare / "run.json").unlink()
    (bare / "recipe.toml").unlink()
    assert "not known for certain" in warnings(tmp_path, "first", "bare")[0]


def test_recipes_side_by_side(tmp_path: Path) -> None:
    write_run(tmp_path, "first")
    write_run(tmp_path, "second", optimizer__main_lr=1e-4)
    result = compare(tmp_path, "first", "second", "--format", "jsonl")
    lines = map(json.loads, result.stdout.splitlines())
    assert [line for line in lines if line["kind"] == "difference"] == [
        {
            "kind": "difference",
            "field": "optimizer.main_lr",
            "values": {"first": 5e-5, "second": 1e-4},
        }
    ]


def test_each_form_says_the_same(tmp_path: Path) -> None:
    write_run(tmp_path, "first")
    write_run(tmp_path, "second", scaled(0.9), optimizer__main_lr=1e-4)
    expected = scores(tmp_path, "first", "second")["48k/loss", "second"]
    result = compare(tmp_path, "first", "second", "--output", tmp_path / "scores.csv")
    assert last_line(result)["output"] == str(tmp_path / "scores.csv")
    rows = list(csv.DictReader((tmp_path / "scores.csv").open()))
    row = next(row for row in rows if (row["metric"], row["run"]) == ("48k/loss", "second"))
    numbers = {name: float(row[name]) if row[name] else None for name in row if name not in TEXTS}
    assert numbers == {name: value for name, value in expected.items() if name not in TEXTS}
    text = compare(tmp_path, "first", "second", "--format", "table").stdout
    line = next(line for line in text.splitlines() if "second" in line and "2.2500" in line)
    assert line.endswith("10.0 % lower")
    assert "optimizer.main_lr" in text
    assert compare(tmp_path, "first", "second", "--format", "html").stdout.startswith("<!doctype")


def test_one_run_is_shown_beside_its_starting_model(tmp_path: Path) -> None:
    write_run(tmp_path, "one")
    result = compare(tmp_path, "one")
    assert result.exit_code == 0
    assert last_line(result) == {
        "kind": "summary",
        "runs": ["one"], "output": None, "wandb": None, "warnings": 0, "broken": []
    }  # fmt: skip


def test_runs_are_found_by_folder_and_kept_apart(tmp_path: Path) -> None:
    here, there = write_run(tmp_path / "a", "one"), write_run(tmp_path / "b", "one", scaled(2))
    found = scores(tmp_path / "a", "one", there, here)
    assert [name for metric, name in found if metric == "loss"] == ["one", "one (2)", "one (3)"]
    assert found["loss", "one (2)"]["best"] == 6


def test_a_run_that_was_not_validated_yet(tmp_path: Path) -> None:
    write_run(tmp_path, "first")
    write_run(tmp_path, "young", ENTRIES[:2])
    assert "young has not been validated yet" in warnings(tmp_path, "first", "young")
    assert scores(tmp_path, "first", "young")["loss", "young"]["best"] is None


def test_half_a_last_line_is_left_out(tmp_path: Path) -> None:
    metrics = write_run(tmp_path, "one") / "metrics.jsonl"
    metrics.write_text(metrics.read_text()[:-30])
    assert scores(tmp_path, "one")["48k/loss", "one"]["last_epoch"] == 2


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("metrics.jsonl", b'{"step": 1}\nnonsense\n', "line 2 is not JSON"),
        ("metrics.jsonl", b'{"step": 1}\n\xff\xfe\n', "line 2 is not JSON"),
        ("recipe.toml", b"[data\n", "recipe.toml is damaged"),
        ("run.json", b"{", "run.json is damaged"),
        ("run.json", b"[]", "run.json is damaged"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, file: str, content: bytes, said: str) -> None:
    (write_run(tmp_path, "one") / file).write_bytes(content)
    result = compare(tmp_path, "one")
    assert (result.exit_code, said in result.stderr) == (1, True), result.stderr


def test_a_run_without_metrics_and_one_that_is_not_there(tmp_path: Path) -> None:
    (write_run(tmp_path, "empty") / "metrics.jsonl").unlink()
    write_run(tmp_path, "whole")
    result = compare(tmp_path, "empty")
    assert (result.exit_code, "has no metrics.jsonl" in result.stderr) == (1, True)
    result = compare(tmp_path, "wohle")
    assert (result.exit_code, "Runs there: empty, whole." in result.stderr) == (2, True)
    assert compare(tmp_path).exit_code == 2


def test_a_value_that_is_no_number_was_not_computed(tmp_path: Path) -> None:
    odd = [{**entry("val", 4), "24k/loss": value} for value in (None, "1", float("nan"))]
    write_run(tmp_path, "one", [*ENTRIES, *odd])
    assert scores(tmp_path, "one")["24k/loss", "one"]["last"] == 1.6


@given(st.integers(1, 5 * MAX_POINTS))
@example(2 * MAX_POINTS + 1)
def test_a_trace_is_bounded_and_counts_every_value_once(count: int) -> None:
    values = [float(number * 7919 % 1013) for number in range(count)]
    trace = Trace()
    for position, value in enumerate(values):
        trace.add(position, value)
    points = trace.points()
    assert len(points) <= MAX_POINTS
    width = 1
    while len(values) // width >= MAX_POINTS:
        width *= 2
    counts = [width] * (len(values) // width) + [len(values) % width] * (len(values) % width > 0)
    assert len(points) == len(counts)
    total = sum(value * count for (_, value), count in zip(points, counts, strict=True))
    assert total == pytest.approx(sum(values), abs=1e-3)
    if len(values) < MAX_POINTS:
        assert points == list(enumerate(values))


@pytest.mark.parametrize("phase", [10, 11, 12])
def test_every_setting_that_matters_is_one_of_the_recipes(phase: int) -> None:
    recipe = tomllib.loads(load_recipe(phase).to_toml())
    known = Run(Source("one", "", recipe, STATE, []))
    metrics = ["loss", *(f"{head}/{part}" for head in recipe["model"]["heads"] for part in PARTS)]
    for metric in metrics:
        assert None not in conditions_of(known, metric).values()


def test_a_pipe_is_given_json_lines_alone_and_the_person_a_table(tmp_path: Path) -> None:
    write_run(tmp_path, "first")
    write_run(tmp_path, "second", scaled(0.9))
    result = compare(tmp_path, "first", "second")
    kinds = [json.loads(line)["kind"] for line in result.stdout.splitlines()]
    assert kinds[-1] == "summary"
    assert set(kinds) == {"score", "summary"}
    assert "than no training" in result.stderr


def test_a_terminal_is_given_a_table_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path, "first")
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True)
    result = compare(tmp_path, "first")
    assert "than no training" in result.stdout
    assert "{" not in result.stdout + result.stderr


def test_the_output_has_a_short_option(tmp_path: Path) -> None:
    write_run(tmp_path, "first")
    assert compare(tmp_path, "first", "-o", tmp_path / "a.csv").exit_code == 0
    assert (tmp_path / "a.csv").read_text().startswith("metric,run,start,resampled,best")


def test_the_weighted_loss_counts_a_new_head_as_the_starting_model_resampled(
    tmp_path: Path,
) -> None:
    write_run(tmp_path, "first")  # 4.0 before training, of which the untrained 48 kHz head is 3.4
    row = scores(tmp_path, "first")["loss", "first"]
    assert row["over_start"] == pytest.approx(100 * (1 - 3.0 / (4.0 + 5.0 - 3.4)))


def test_a_run_that_is_worse_than_resampling_is_a_warning(tmp_path: Path) -> None:
    """A trained head that beats only the untrained one: it was called 13 % better."""
    start = {
        **entry("baseline", 0, loss=4.0, k24_loss=2.0, k48_loss=3.4),
        "resampled/48k/loss": 2.0,
    }
    write_run(tmp_path, "first", [start, *ENTRIES[1:]])
    row = scores(tmp_path, "first")["48k/loss", "first"]
    assert row["over_start"] == pytest.approx(-25)
    said = [text for text in warnings(tmp_path, "first") if "worse than no training" in text]
    assert "48k/loss is 25.0 % higher" in said[-1]
    assert "24 kHz output resampled" in said[-1]
    text = compare(tmp_path, "first", "--format", "table").stdout
    assert "25.0 % higher" in text
