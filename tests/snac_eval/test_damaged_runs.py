"""Runs whose small files are damaged or odd: a message that names the file, never a traceback."""

import json
from pathlib import Path
from typing import Any

import pytest
from runs import ENTRIES, write_run
from workplace import run

NOT_JSON = ["", "{", "[1]", "3", "null", '"x"', "\x00"]
ODD_STATES = [{name: odd} for name in ("counts", "data", "cache") for odd in (1, [2], "x")]
NOT_TOML = ["=", "x = 1", "[model]\nheads = ", "loss = [1]", "\udcff"]
ODD_TABLES = ["[model]\nheads = 3\n", "[model]\nheads = [3]\n", '[data]\ncodes = ["x"]\n', ""]
ODD_LINES = [{"step": 1, "kind": "length", "48k/loss": 1.0}, {"step": 1, "samples_seen": "x"}]


def compare(root: Path) -> tuple[int, str]:
    """Compare a sound run with the one called odd; a traceback fails here."""
    result = run("snac_eval.cli.compare", "--artifacts", root, "sound", "odd")
    assert isinstance(result.exception, SystemExit | None), result.exception
    return result.exit_code, result.stderr


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("run.json", text) for text in NOT_JSON),
        *(("run.json", json.dumps(state)) for state in ODD_STATES),
        *(("recipe.toml", text) for text in NOT_TOML),
        *(("metrics.jsonl", json.dumps(line) + "\n") for line in ODD_LINES),
    ],
)
def test_what_is_damaged_is_named(tmp_path: Path, name: str, content: str) -> None:
    write_run(tmp_path, "sound")
    file = write_run(tmp_path, "odd") / name
    file.write_bytes(content.encode(errors="surrogateescape"))
    code, said = compare(tmp_path)
    assert (code, str(file) in said) == (1, True)


@pytest.mark.parametrize("content", ODD_TABLES)
def test_a_recipe_with_other_fields_is_compared_as_far_as_it_goes(
    tmp_path: Path, content: str
) -> None:
    write_run(tmp_path, "sound")
    (write_run(tmp_path, "odd") / "recipe.toml").write_text(content)
    assert compare(tmp_path)[0] == 0


@pytest.mark.parametrize("value", [None, "x", [1.0], {}, True, 1e400])
def test_values_that_are_no_numbers_are_not_scores(tmp_path: Path, value: Any) -> None:
    write_run(tmp_path, "sound")
    write_run(tmp_path, "odd", [*ENTRIES, {**ENTRIES[-1], "48k/loss": value}])
    assert compare(tmp_path)[0] == 0


def test_a_name_cannot_steer_the_terminal(tmp_path: Path) -> None:
    write_run(tmp_path, "a\x1b[31mb")
    result = run("snac_eval.cli.compare", "--artifacts", tmp_path, "a\x1b[31mb")
    assert "\x1b" not in result.output
    assert "a\\x1b[31mb" in result.stderr
