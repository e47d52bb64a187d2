"""Whether runs break the rules of ``--fail-if``."""

import difflib
from collections.abc import Iterator, Sequence

from snac_common.errors import Failure
from snac_eval.comparison.compare import Comparison
from snac_eval.comparison.expression import Name, Rule, misplaced
from snac_eval.comparison.run import Run


def broken_rules(comparison: Comparison, rules: Sequence[Rule]) -> list[str]:
    """Return a message for each run and rule that it breaks, or that cannot be applied to it.

    A rule that names ``first`` is about the other runs.

    Raises:
        BadInput: if a rule names a metric that no run has.
    """
    for rule in rules:
        _check_names(comparison, rule)
    return [message for rule in rules for message in _broken(comparison, rule)]


def _broken(comparison: Comparison, rule: Rule) -> Iterator[str]:
    about_first = all(name.which != "first" for name in rule.names)
    for run in comparison.runs if about_first else comparison.runs[1:]:
        numbers = _Numbers(comparison, rule, run)
        try:
            if rule.holds(numbers.get):
                yield f"{run.name}: {rule.text} ({numbers.in_words()})"
        except Failure as failure:
            yield f"{run.name}: {rule.text} cannot be judged: {failure}"
        except ZeroDivisionError:
            yield f"{run.name}: {rule.text} cannot be judged: it divides by zero"


class _Numbers:
    """Finds the numbers that a rule names, and remembers them."""

    def __init__(self, comparison: Comparison, rule: Rule, run: Run) -> None:
        self.comparison = comparison
        self.rule = rule
        self.run = run
        self.found: dict[str, float] = {}

    def get(self, name: Name) -> float:
        """Return a number; raises Failure if it was not measured or does not compare."""
        run, which = self.run, name.which
        if which == "first":
            if why := self.comparison.incomparable.get((run.name, name.metric)):
                raise Failure(f"it was not validated on what the first was: {', '.join(why)}")
            run, which = self.comparison.runs[0], self.rule.left.which
        measured = getattr(run.get(name.metric), which)
        if measured is None:
            raise Failure(f"{run.name} has no {which} {name.metric}")
        value = measured if isinstance(measured, float | int) else measured.value
        self.found[f"{name.which} {name.metric}"] = value
        return float(value)

    def in_words(self) -> str:
        """Say which numbers were found."""
        return ", ".join(f"{name} is {value:.6g}" for name, value in self.found.items())


def _check_names(comparison: Comparison, rule: Rule) -> None:
    for name in rule.names:
        if name.metric not in comparison.metrics:
            nearest = difflib.get_close_matches(name.metric, comparison.metrics, n=1, cutoff=0.0)
            hint = f"; the nearest is {nearest[0]!r}" if nearest else ""
            raise misplaced(rule.text, name.position, f"no run has a {name.metric!r}{hint}")
