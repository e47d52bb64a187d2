"""Adding up the votes of blind tests."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workplace import last_line, run

from snac_common.errors import Failure
from snac_eval.statistics.shares import binomial_interval, student_quantile
from snac_eval.statistics.votes import count_votes

VOTE: dict[str, Any] = {
    "trial": "t0",
    "utterance_id": "a",
    "rate": 48000,
    "model": "mine",
    "against": "base resampled",
    "preferred": None,
}

ODD: list[dict[str, Any]] = [
    {"preferred": "somebody"},
    {"preferred": ["mine"]},
    {"model": ["mine"]},
    {"against": {}},
    {"trial": 3},
    {"rate": True},
    {"rate": "48000"},
]


def save(path: Path, preferred: Sequence[str | None], listener: str | None = None) -> Path:
    votes = [
        {**VOTE, "trial": f"t{number}", "preferred": name} for number, name in enumerate(preferred)
    ]
    path.write_text(json.dumps({"listener": listener or path.stem, "votes": votes}))
    return path


def tail(trials: int, share: float, counts: range) -> float:
    """The binomial distribution by its recursion, without factorials."""
    probabilities = [1.0]
    for _ in range(trials):
        shifted = zip([0.0, *probabilities], [*probabilities, 0.0], strict=True)
        probabilities = [one * share + other * (1 - share) for one, other in shifted]
    return sum(probabilities[count] for count in counts)


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_exact(votes: tuple[int, int]) -> None:
    """At its ends, what was seen or more extreme has a probability of 2.5 %."""
    successes, trials = votes
    low, high = binomial_interval(successes, trials)
    assert low <= successes / trials <= high
    if successes:
        assert tail(trials, low, range(successes, trials + 1)) == pytest.approx(0.025)
    if successes < trials:
        assert tail(trials, high, range(successes + 1)) == pytest.approx(0.025)
    assert (low == 0, high == 1) == (successes == 0, successes == trials)


def test_a_published_interval() -> None:
    assert binomial_interval(8, 10) == pytest.approx((0.4439, 0.9748), abs=1e-4)
    assert binomial_interval(0, 10) == pytest.approx((0, 0.3085), abs=1e-4)
    assert binomial_interval(1900, 2000) == pytest.approx((0.9395, 0.9591), abs=1e-3)


def test_the_votes_of_several_listeners_are_added_up(tmp_path: Path) -> None:
    first = save(tmp_path / "1.json", ["mine", "mine", "base resampled", None])
    second = save(tmp_path / "2.json", ["mine"])
    (tally,) = count_votes([first, second])
    assert (tally.listeners, tally.preferred, tally.other, tally.ties) == (2, 3, 1, 1)
    assert tally.share == 0.75


def test_listeners_who_disagree_make_the_interval_wide(tmp_path: Path) -> None:
    """Three of them, 20 votes each: all of one are against, which no 60 trials would show."""
    mine, base = ["mine"] * 20, ["base resampled"] * 20
    files = [save(tmp_path / f"{n}.json", votes) for n, votes in enumerate([mine, mine, base])]
    (tally,) = count_votes(files)
    assert tally.share == pytest.approx(2 / 3)
    assert tally.interval == (0.0, 1.0)
    files = [save(tmp_path / f"like {n}.json", mine[:13] + base[:7]) for n in range(3)]
    (tally,) = count_votes(files)
    assert tally.interval == binomial_interval(39, 60), "they agree: no narrower than trials"


def test_a_listener_alone_has_the_exact_interval(tmp_path: Path) -> None:
    (tally,) = count_votes([save(tmp_path / "1.json", ["mine"] * 8 + ["base resampled"] * 2)])
    assert tally.interval == binomial_interval(8, 10)


@pytest.mark.parametrize(
    ("freedom", "expected"), [(1, 12.7062), (2, 4.3027), (3, 3.1824), (10, 2.2281), (29, 2.0452)]
)
def test_the_quantiles_of_student(freedom: int, expected: float) -> None:
    assert student_quantile(freedom) == pytest.approx(expected, abs=1e-4)


def test_a_vote_counts_once(tmp_path: Path) -> None:
    file = save(tmp_path / "1.json", ["mine"])
    with pytest.raises(Failure, match="already"):
        count_votes([file, file])
    with pytest.raises(Failure, match="already"):
        count_votes([file, save(tmp_path / "renamed.json", ["base resampled"], listener="1")])
    twice = {"listener": "x", "votes": [VOTE, {**VOTE, "preferred": "mine"}]}
    (tmp_path / "twice.json").write_text(json.dumps(twice))
    with pytest.raises(Failure, match="already"):
        count_votes([tmp_path / "twice.json"])


def test_the_command_says_it_as_a_table_and_as_json(tmp_path: Path) -> None:
    file = save(tmp_path / "votes.json", ["mine"] * 9 + [None])
    result = run("snac_eval.cli.evaluate", "--votes", file)
    assert result.exit_code == 0
    assert "100%  66% to 100%" in result.stderr
    (tally,) = last_line(result)["votes"]
    assert (tally["preferred"], tally["ties"], tally["share"]) == (9, 1, 1.0)


@pytest.mark.parametrize(
    "content",
    [
        "nonsense",
        "[]",
        '{"votes": [{}]}',
        '{"votes": 3}',
        json.dumps({"votes": [VOTE]}),
        json.dumps({"listener": "x", "votes": ["mine"]}),
        *(json.dumps({"listener": "x", "votes": [{**VOTE, **odd}]}) for odd in ODD),
    ],
)
def test_what_holds_no_votes_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "votes.json").write_text(content)
    result = run("snac_eval.cli.evaluate", "--votes", tmp_path / "votes.json")
    assert result.exit_code == 1
    assert "votes.json holds no votes" in result.stderr


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = run("snac_eval.cli.evaluate", "--votes", tmp_path / "none.json")
    assert result.exit_code == 1
    assert "none.json" in result.stderr
