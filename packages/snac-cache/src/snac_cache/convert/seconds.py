"""Progress by the second of audio, which moves within a long file too."""

from collections.abc import Callable
from threading import Lock

ROUNDING = 1e-6  # what sums of seconds may lack of a whole one


class SecondsDone:
    """Adds up seconds of audio from several threads, and passes whole ones on."""

    def __init__(self, advance: Callable[[int], object]) -> None:
        self.advance = advance
        self.left = 0.0
        self.lock = Lock()

    def __call__(self, seconds: float) -> None:
        """Take note of some."""
        with self.lock:
            self.left += seconds
            whole = int(self.left + ROUNDING)
            if whole > 0:
                self.left -= whole
                self.advance(whole)
