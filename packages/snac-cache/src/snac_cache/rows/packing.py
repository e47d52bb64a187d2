"""Utterances put together in rows of one length, none of them cut."""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

WAITING = 4096  # utterances to choose from


@dataclass(frozen=True)
class Utterance:
    """An utterance's row by itself: its ids are int32 ``[tokens]``."""

    name: str
    ids: np.ndarray

    @property
    def length(self) -> int:
        """Number of ids."""
        return len(self.ids)


class Packer:
    """Fills rows in the order in which utterances come; the rest of a row with what fits best.

    So rows are as mixed as the utterances' order is, and nearly full as long as there are some
    thousand utterances to choose from. Memory does not grow with their number.

    Args:
        size: ids in a row; no utterance may have more.
    """

    def __init__(self, size: int, waiting: int = WAITING) -> None:
        self.size = size
        self.waiting = waiting
        self._by_number: dict[int, Utterance] = {}
        self._order: deque[int] = deque()
        self._by_length: list[tuple[int, int]] = []  # sorted: length, then number
        self._count = 0

    def __len__(self) -> int:
        return len(self._by_number)

    def add(self, utterances: list[Utterance]) -> Iterator[list[Utterance]]:
        """Take utterances; yield rows while there are enough to choose from."""
        for utterance in utterances:
            self._by_number[self._count] = utterance
            self._order.append(self._count)
            self._count += 1
        self._by_length = sorted((item.length, key) for key, item in self._by_number.items())
        while len(self._by_number) > self.waiting:
            yield self._row()

    def finish(self) -> Iterator[list[Utterance]]:
        """Yield rows until all are in one."""
        while self._by_number:
            yield self._row()

    def _row(self) -> list[Utterance]:
        row: list[Utterance] = []
        room = self.size
        while (key := self._next()) is not None and self._by_number[key].length <= room:
            row.append(self._take(key))
            room -= row[-1].length
        while (place := bisect_right(self._by_length, (room, self._count)) - 1) >= 0:
            row.append(self._take(self._by_length[place][1]))
            room -= row[-1].length
        return row

    def _next(self) -> int | None:
        while self._order and self._order[0] not in self._by_number:
            self._order.popleft()
        return self._order[0] if self._order else None

    def _take(self, key: int) -> Utterance:
        utterance = self._by_number.pop(key)
        del self._by_length[bisect_left(self._by_length, (utterance.length, key))]
        return utterance
