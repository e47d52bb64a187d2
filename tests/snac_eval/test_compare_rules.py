"""--fail-if: a small language, its errors, and the exit code."""

import operator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from runs import entry, scaled, write_run
from workplace import last_line, run

from snac_common.errors import BadInput
from snac_eval.comparison.expression import Name, parse_rule

SIGNS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
NUMBERS = st.floats(0.1, 100).map(lambda value: round(value, 3))
# an expression as text, fully in parentheses or as precedence has it, with its value in Python
EXPRESSIONS = st.recursive(
    NUMBERS.map(str),
    lambda parts: st.one_of(
        st.tuples(parts, st.sampled_from(sorted(SIGNS)), parts).map(" ".join),
        parts.map(lambda text: f"({text})"),
        parts.map(lambda text: f"-({text})"),
    ),
    max_leaves=12,
)


def judge(root: Path, *rules: str, runs: tuple[str, ...] = ("first", "second")) -> Result:
    options = [word for rule in rules for word in ("--fail-if", rule)]
    return run("snac_eval.cli.compare", "--artifacts", root, *runs, *options)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two runs; best 48k/loss is 2.5 and 2.25, last 2.7 and 2.43, of a start of 3.4."""
    write_run(tmp_path, "first")
    write_run(tmp_path, "second", scaled(0.9))
    return tmp_path


@pytest.mark.parametrize(
    ("rule", "broken_by"),
    [
        ("48k/loss > start * 1.02", []),
        ("48k/loss < start", ["first", "second"]),
        ("48k/loss > 2.4", ["first"]),
        ("last:48k/loss > 2.4", ["first", "second"]),
        ("last:48k/loss > best:48k/loss*1.05", ["first", "second"]),
        ("48k/loss < first", ["second"]),
        ("48k/loss > first * .9 - 0.001", ["second"]),
        ("last:48k/loss >= first", []),
        ("last:48k/loss >= first * 0.9 - 1e-3", ["second"]),
        ("48k/loss > resampled / 2 - 0.1", ["first"]),
        ("48k/loss > start:24k/loss + 0.3", ["first"]),
        ("24k/loss/2 > 1", None),
        ("loss >= 24k/loss", ["first", "second"]),
        ("start:48k/loss > 3", ["first", "second"]),
        ("48k/loss <= (1 + 1.25)", ["second"]),
    ],
)
def test_rules(root: Path, rule: str, broken_by: list[str] | None) -> None:
    result = judge(root, rule)
    if broken_by is None:
        assert result.exit_code == 2
        return
    assert result.exit_code == (1 if broken_by else 0), result.stderr
    assert [message.partition(":")[0] for message in last_line(result)["broken"]] == broken_by
    for name in broken_by:
        assert f"{name}: {rule}" in result.stderr


def test_it_says_which_run_broke_which_rule_by_which_numbers(root: Path) -> None:
    result = judge(root, "48k/loss > 2.4", "24k/loss < start * 0.7")
    assert "first: 48k/loss > 2.4 (best 48k/loss is 2.5)" in result.stderr
    assert "second: 24k/loss < start * 0.7 (best 24k/loss is 1.35, start 24k/loss is 2)" in (
        result.stderr
    )


def test_what_cannot_be_judged_is_no_pass(root: Path) -> None:
    write_run(root, "ten", [entry("val", 1, k24_loss=1.5)])
    write_run(root, "other", validation__segment_s=1.0)
    result = judge(root, "48k/loss > 99", runs=("first", "ten"))
    assert (result.exit_code, "ten has no best 48k/loss" in result.stderr) == (1, True)
    result = judge(root, "48k/loss > first * 99", runs=("first", "other"))
    assert (result.exit_code, "validation.segment_s (4.0 and 1.0)" in result.stderr) == (1, True)
    result = judge(root, "48k/loss > 1 / (start - 3.4)")
    assert (result.exit_code, "divides by zero" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        ("", 0),
        ("48k/loss", 8),
        ("48k/loss = 2", 9),
        ("48k/loss > ", 10),
        ("48k/loss > start ** 2", 18),
        ("48k/loss > start 2", 17),
        ("48k/loss > (start", 17),
        ("48k/loss > start)", 16),
        ("48k/loss > 1.5.2", 11),
        ("48k/loss > __import__('os')", 22),
        ("48k/loss > 2 > 1", 13),
        ("start > 2", 0),
        ("first:48k/loss > 2", 0),
        ("2 > 48k/loss", 0),
        ("48k/loss > worst:48k/loss", 11),
        ("48k/lose > 2", 0),
        ("48k/loss > loss/start", 11),
    ],
)
def test_a_bad_rule_is_pointed_at(root: Path, rule: str, place: int) -> None:
    result = judge(root, rule)
    assert result.exit_code == 2
    lines = result.stderr.rstrip("\n").splitlines()
    assert lines[-2:] == [f"    {rule}", f"    {' ' * place}^"]


def test_an_unknown_metric_is_answered_with_the_nearest(root: Path) -> None:
    assert "the nearest is '48k/loss'" in judge(root, "48k/lose > 2").stderr


@given(EXPRESSIONS)
def test_arithmetic_is_pythons(text: str) -> None:
    rule = parse_rule(f"loss > {text}")
    try:
        expected: Any = eval(text, {"__builtins__": {}})
    except ZeroDivisionError:
        expected = ZeroDivisionError
    try:
        found: Any = rule.right(lambda name: 0.0)
    except ZeroDivisionError:
        found = ZeroDivisionError
    assert found == expected


@given(st.text(st.sampled_from("48k/loss start:()*+-<>=.@_1e\n\"'"), max_size=30))
def test_any_text_is_a_rule_or_bad_input(text: str) -> None:
    try:
        rule = parse_rule(text)
    except BadInput:
        return
    assert isinstance(rule.left, Name)


def test_depth_is_no_traceback() -> None:
    with pytest.raises(BadInput):
        parse_rule("loss > " + "(" * 100_000)


def test_the_output_is_written_even_when_a_rule_is_broken(root: Path) -> None:
    result = run(
        "snac_eval.cli.compare", "--artifacts", root, "first", "--fail-if", "loss > 0",
        "--output", root / "out.csv",
    )  # fmt: skip
    assert result.exit_code == 1
    assert len((root / "out.csv").read_text().splitlines()) == 1 + len({"loss", "24k", "48k"})
