"""snac-check --sql over what evaluations and runs left beside the codes."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_cache import write_cache, write_results
from runs import ENTRIES
from workplace import run


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with two evaluations and two runs."""
    folder = tmp_path_factory.mktemp("artifacts")
    write_cache(folder)
    write_results(folder)
    return folder


def ask(root: Path, sql: str) -> list[dict[str, Any]]:
    result = run("snac_cache.cli.check", "--artifacts", root, "--sql", sql, "--format", "jsonl")
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_evaluations_are_told_apart(root: Path) -> None:
    sql = "SELECT evaluation, count(*) AS n FROM metrics GROUP BY ALL ORDER BY ALL"
    assert ask(root, sql) == [{"evaluation": "one", "n": 66}, {"evaluation": "other", "n": 66}]


def test_means_leave_out_what_was_not_computed_and_count_it(root: Path) -> None:
    [row] = ask(root, "FROM eval WHERE evaluation = 'one'")
    values = [2 + n / 7 for count in (60, 6) for n in range(count) if n != 5]
    assert row["mean"] == pytest.approx(sum(values) / len(values))
    assert (row["utterances"], row["missing"]) == (64, 2)


def test_runs_have_their_lines(root: Path) -> None:
    sql = "SELECT kind, step, \"48k/loss\" FROM training WHERE run = 'one' ORDER BY ALL"
    lines = [{name: line[name] for name in ("kind", "step", "48k/loss")} for line in ENTRIES]
    assert ask(root, sql) == sorted(lines, key=lambda line: (line["kind"], line["step"]))


def test_without_results_the_views_are_empty(tmp_path: Path) -> None:
    write_cache(tmp_path)
    for view in ("metrics", "eval", "training"):
        assert ask(tmp_path, f"FROM {view}") == []


def test_columns_that_are_new_and_lines_half_written_do_no_harm(tmp_path: Path) -> None:
    write_cache(tmp_path)
    write_results(tmp_path)
    path = tmp_path / "eval" / "other" / "metrics.parquet"
    table = pq.read_table(path)
    pq.write_table(table.append_column("seconds", pa.array([1.5] * len(table))), path)
    [row] = ask(tmp_path, "SELECT count(*) AS n, sum(seconds) AS seconds FROM metrics")
    assert row == {"n": 132, "seconds": 99.0}
    with (tmp_path / "runs" / "one" / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "train", "st')
    [row] = ask(tmp_path, "SELECT count(*) AS n, count(step) AS whole FROM training")
    assert row == {"n": 11, "whole": 10}


def test_a_damaged_evaluation_does_not_keep_the_codes_from_being_checked(tmp_path: Path) -> None:
    write_cache(tmp_path)
    write_results(tmp_path)
    (tmp_path / "eval" / "one" / "metrics.parquet").write_bytes(b"nonsense")
    assert ask(tmp_path, "SELECT count(*) AS n FROM codes") == [{"n": 65}]
    result = run("snac_cache.cli.check", "--artifacts", tmp_path, "--sql", "FROM metrics")
    assert (result.exit_code, "metrics.parquet" in result.stderr) == (2, True)
