"""A sign of life that other machines see: a file in a run's folder, touched while it is trained."""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

NAME = ".alive"
EVERY_S = 15.0
GONE_AFTER_S = 60.0  # without a beat; clocks of machines differ, so it is waited for


class Heartbeat:
    """Touches the file now and then, until it is stopped or this process ends."""

    def __init__(self, run: Path) -> None:
        self._path = run / NAME
        self._ended = threading.Event()
        self._path.touch()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def stop(self) -> None:
        """Give no sign of life any more."""
        self._ended.set()

    def _beat(self) -> None:
        while not self._ended.wait(EVERY_S):
            with suppress(OSError):  # such as a file system that is away for a while
                os.utime(self._path)


def shows_life(run: Path) -> bool:
    """Watch a run that another machine has trained, for as long as it may take; say if it beats."""
    first, end = last_beat(run), time.monotonic() + GONE_AFTER_S
    while time.monotonic() < end:
        time.sleep(min(1.0, GONE_AFTER_S / 10))
        if last_beat(run) != first:
            return True
    return False


def last_beat(run: Path) -> float:
    """Return when a run last showed life, in seconds since the epoch; 0 if it never did."""
    try:
        with (run / NAME).open("rb") as file:  # opened, for NFS then asks its server
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return 0.0
