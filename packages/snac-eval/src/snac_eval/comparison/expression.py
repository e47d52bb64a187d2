"""The small language of ``--fail-if``: ``48k/loss > start * 1.02``."""

import operator
from collections.abc import Callable
from dataclasses import dataclass

from snac_common.errors import BadInput
from snac_eval.comparison.lexer import Token, misplaced, tokens

WORDS = ("best", "last", "start", "resampled", "first")
COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
SUMS = {"+": operator.add, "-": operator.sub}
PRODUCTS = {"*": operator.mul, "/": operator.truediv}


@dataclass(frozen=True)
class Name:
    """A number of a run: ``which`` of ``WORDS``, of a metric, and where the rule names it."""

    which: str
    metric: str
    position: int


Lookup = Callable[[Name], float]
Expression = Callable[[Lookup], float]


@dataclass(frozen=True)
class Rule:
    """What no run may be: a number of it, compared with what an expression gives."""

    text: str
    left: Name
    comparison: str
    right: Expression
    names: tuple[Name, ...]

    def holds(self, lookup: Lookup) -> bool:
        """Say whether it is so; raises ZeroDivisionError, and what ``lookup`` raises."""
        return COMPARISONS[self.comparison](lookup(self.left), self.right(lookup))


def parse_rule(text: str) -> Rule:
    """Read ``NAME COMPARISON EXPRESSION``.

    A name is a metric, whose best value it is; ``WHICH:METRIC`` for another; or on the right
    ``WHICH`` alone, of the metric on the left.

    Raises:
        BadInput: pointing at what is wrong.
    """
    try:
        return _Parser(text).rule()
    except RecursionError:
        raise BadInput("--fail-if: the rule has too many parentheses") from None


class _Parser:
    """Recursive descent: a function for each precedence."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(tokens(text))
        self.names: list[Name] = []
        self.metric = ""

    def rule(self) -> Rule:
        left = self._left()
        comparison = self._take()
        if comparison.text not in COMPARISONS:
            raise self._wrong(comparison, "a comparison is wanted here: < <= > >=")
        right = self._sum()
        end = self._take()
        if end.kind != "end":
            raise self._wrong(end, "nothing more can follow here")
        return Rule(self.text, left, comparison.text, right, tuple(self.names))

    def _take(self) -> Token:
        return self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]

    def _left(self) -> Name:
        token = self._take()
        if token.kind != "name" or token.text in WORDS or token.text.startswith("first:"):
            raise self._wrong(token, "a metric is wanted here, such as 48k/loss or last:48k/loss")
        name = self._name(token)
        self.metric = name.metric
        return name

    def _sum(self) -> Expression:
        return self._chain(self._product, SUMS)

    def _product(self) -> Expression:
        return self._chain(self._factor, PRODUCTS)

    def _chain(
        self, part: Callable[[], Expression], signs: dict[str, Callable[[float, float], float]]
    ) -> Expression:
        left = part()
        while self.tokens[0].text in signs:
            left = _combined(signs[self._take().text], left, part())
        return left

    def _factor(self) -> Expression:
        token = self._take()
        if token.text == "-":
            negated = self._factor()
            return lambda lookup: -negated(lookup)
        if token.text == "(":
            inner = self._sum()
            if (end := self._take()).text != ")":
                raise self._wrong(end, "a ) is wanted here")
            return inner
        if token.kind == "number":
            value = float(token.text)
            return lambda lookup: value
        if token.kind == "name":
            name = self._name(token)
            return lambda lookup: lookup(name)
        raise self._wrong(token, "a number, a name or ( is wanted here")

    def _name(self, token: Token) -> Name:
        which, colon, metric = token.text.rpartition(":")
        if token.text in WORDS:
            which, metric = token.text, self.metric
        elif not colon:
            which = "best"
        if which not in WORDS:
            raise self._wrong(token, f"{which}: is none of {', '.join(WORDS)}")
        name = Name(which, metric, token.position)
        self.names.append(name)
        return name

    def _wrong(self, token: Token, problem: str) -> BadInput:
        return misplaced(self.text, token.position, problem)


def _combined(
    sign: Callable[[float, float], float], left: Expression, right: Expression
) -> Expression:
    return lambda lookup: sign(left(lookup), right(lookup))
