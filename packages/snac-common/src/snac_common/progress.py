"""Progress: a bar on a terminal, plain lines otherwise."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from snac_common.console import is_quiet, note

SECONDS_BETWEEN_LINES = 10.0
# tqdm's own, but for the rate: it would turn one below 1/s into seconds for each
_BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_noinv_fmt}{postfix}]"
_COUNTER = "{desc}: {n_fmt}{unit} [{elapsed}, {rate_noinv_fmt}{postfix}]"

Item = TypeVar("Item")


@contextmanager
def progress(
    total: int | None, what: str, unit: str, *, shown: bool = True
) -> Iterator[Callable[..., object]]:
    """Yield a function that counts work done: a bar on a terminal, plain lines otherwise.

    It takes the count, and as keywords any figures to show beside it, such as ``loss="0.12"``.
    Of several processes on one piece of work, one has it ``shown``; a ``--quiet`` command has none.
    """
    if not shown or is_quiet():
        yield lambda count, **figures: None
    elif sys.stderr.isatty():
        from tqdm import tqdm

        shape = _COUNTER if total is None else _BAR
        with tqdm(
            total=total, desc=what, unit=f" {unit}", dynamic_ncols=True, bar_format=shape
        ) as bar:

            def advance(count: int, **figures: str) -> None:
                bar.set_postfix(figures, refresh=False)
                bar.update(count)

            yield advance
    else:
        lines = _ProgressLines(total, what, unit)
        yield lines.update
        lines.close()


def track(items: Iterable[Item], total: int | None, what: str, unit: str) -> Iterator[Item]:
    """Yield the items, showing progress as they are asked for."""
    with progress(total, what, unit) as advance:
        for item in items:
            yield item
            advance(1)


def rate(per_second: float) -> str:
    """Say a rate in the one unit that all have, with three digits: ``0.0312/s``, ``1,234/s``."""
    return f"{per_second:,.0f}/s" if per_second >= 1000 else f"{per_second:.3g}/s"


class _ProgressLines:
    """Progress as a line now and then, for logs."""

    def __init__(self, total: int | None, what: str, unit: str) -> None:
        self.label = what
        self.unit = unit
        self.total = total
        self.done = 0
        self.figures = ""
        self.started = self.shown = time.monotonic()

    def update(self, count: int, **figures: str) -> None:
        self.done += count
        self.figures = "".join(f", {name} {value}" for name, value in figures.items())
        if time.monotonic() - self.shown >= SECONDS_BETWEEN_LINES:
            self.shown = time.monotonic()
            self.show()

    def show(self) -> None:
        elapsed = time.monotonic() - self.started
        speed = self.done / elapsed if elapsed else 0.0
        total = "" if self.total is None else f"/{self.total}"
        left = (
            ""
            if self.total is None or not speed
            else f", {(self.total - self.done) / speed:.0f} s left"
        )
        note(f"{self.label}: {self.done}{total} {self.unit}, {rate(speed)}{self.figures}{left}")

    def close(self) -> None:
        self.show()
