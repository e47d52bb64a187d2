"""What signals ask of a run: to save, or to save and stop."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from snac_common.console import note
from snac_common.tool import Terminated

STOPS: dict[int, type[BaseException]] = {
    signal.SIGINT: KeyboardInterrupt,
    signal.SIGTERM: Terminated,
    signal.SIGHUP: Terminated,
}
HANDLED = (*STOPS, signal.SIGUSR1)

# A launcher, a terminal and a batch system each signal the whole group: the same wish, twice.
SAME_WISH_S = {signal.SIGINT: 1.0, signal.SIGTERM: 5.0, signal.SIGHUP: 5.0}


class Requests:
    """The wishes that have arrived; a step asks for them when it is done.

    Attributes:
        stop: the signal that asked to stop, 0 for none.
        save: whether a checkpoint was asked for.
    """

    def __init__(self) -> None:
        self.stop = 0
        self.save = False
        self._stop_asked_at = 0.0

    @contextmanager
    def handle_signals(self) -> Iterator[None]:
        """Take signals as wishes: SIGINT, SIGTERM, SIGHUP to stop, SIGUSR1 to save and go on.

        Another signal to stop, later than launchers repeat theirs, ends the process at once. When
        one that was asked to stop has done so, no signal disturbs its end.
        """
        hangup_counts = signal.getsignal(signal.SIGHUP) != signal.SIG_IGN  # not under nohup
        heard = [number for number in HANDLED if number != signal.SIGHUP or hangup_counts]
        before = {number: signal.signal(number, self._handle) for number in heard}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_IGN if self.stop else handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGUSR1:
            self.save = True
        elif not self.stop:
            self.stop, self._stop_asked_at = number, time.monotonic()
            if os.environ.get("RANK", "0") == "0":
                note("stopping at the next step, after saving; once more to stop at once")
        elif time.monotonic() - self._stop_asked_at > SAME_WISH_S[signal.Signals(number)]:
            raise STOPS[number]
