"""Telling how far a worker is, now and then."""

import time
from collections.abc import Callable

UTTERANCES, SECONDS = 100, 1.0


class Progress:
    """Counts utterances, and sends the count every hundred of them or every second."""

    def __init__(self, send: Callable[[int], None]) -> None:
        self.send = send
        self.count = 0
        self.sent = time.monotonic()

    def add(self, count: int) -> None:
        """Count utterances that are done."""
        self.count += count
        if self.count >= UTTERANCES or time.monotonic() - self.sent >= SECONDS:
            self.flush()

    def flush(self) -> None:
        """Send what was not sent yet."""
        if self.count:
            self.send(self.count)
        self.count, self.sent = 0, time.monotonic()
