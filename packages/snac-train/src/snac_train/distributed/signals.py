"""What signals ask of a run: to save, or to save and stop."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from snac_common.console import note
from snac_common.tool import Terminated

STOPS: dict[int, type[BaseException]] = {
    signal.SIGINT: KeyboardInterrupt,
    signal.SIGTERM: Terminated,
}


class Requests:
    """The wishes that have arrived; a step asks for them when it is done.

    Attributes:
        stop: the signal that asked to stop, 0 for none.
        save: whether a checkpoint was asked for.
    """

    def __init__(self) -> None:
        self.stop = 0
        self.save = False

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Take signals as wishes: SIGINT and SIGTERM to stop, SIGUSR1 to save and go on.

        A second SIGINT or SIGTERM is not a wish: it ends the process at once.
        """
        wished = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
        before = {number: signal.signal(number, self._hear) for number in wished}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGUSR1:
            self.save = True
        elif self.stop:
            raise STOPS[number]
        else:
            self.stop = number
            if os.environ.get("RANK", "0") == "0":
                note("stopping at the next step, after saving; once more to stop at once")
