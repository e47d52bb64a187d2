"""A command as someone at a terminal sees it, and what its processes hold while it runs."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

EVERY_SECONDS = 0.1
COUNT = re.compile(rb"(\d+)/\d+ \[")  # of the progress bar
WINDOW = struct.pack("HHHH", 24, 120, 0, 0)


@dataclass
class Watched:
    """What was seen of a command.

    Attributes:
        first: seconds from its start until it counted work as done; None if it never did.
        first_cpu: processor seconds that the command itself had used by then.
        seconds: from its start to its end, or until it was stopped.
        ended: when, in seconds since 1970.
        peaks: the peak resident memory in GiB of each process, the command's own first.
        code: its exit code, None if it was stopped.
    """

    first: float | None = None
    first_cpu: float = 0.0
    seconds: float = 0.0
    ended: float = 0.0
    peaks: dict[int, float] = field(default_factory=dict)
    code: int | None = None
    text: bytes = b""

    @property
    def command_peak(self) -> float:
        """Peak of the command's own process, GiB."""
        return next(iter(self.peaks.values()))

    @property
    def worker_peak(self) -> float:
        """Peak of the largest worker, GiB; the command's where it has none."""
        return max(list(self.peaks.values())[1:], default=self.command_peak)


def watch(*arguments: object, run_on: float | None = None) -> Watched:
    """Run a command module on a terminal of its own; stop it ``run_on`` seconds after its first.

    Raises:
        RuntimeError: with its last words, if it fails.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, WINDOW)
    command = [sys.executable, "-m", *map(str, arguments)]
    started = time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    seen = Watched(peaks={process.pid: 0.0})
    while process.poll() is None:
        _look(process.pid, ours, seen, time.monotonic() - started)
        worked = time.monotonic() - started - (seen.first or 0.0)
        if run_on is not None and seen.first is not None and worked > run_on:
            break
    seen.seconds, seen.ended = time.monotonic() - started, time.time()
    seen.code = process.returncode
    _stop(process)
    os.close(ours)
    if seen.code:
        raise RuntimeError(seen.text.decode(errors="replace"))
    return seen


def workers(parent: int) -> list[int]:
    """Return the worker processes of a command: those that its fork server has forked."""
    try:
        return [
            worker
            for child in children(parent)
            if b"forkserver" in Path(f"/proc/{child}/cmdline").read_bytes()
            for worker in children(child)
        ]
    except OSError:
        return []


def children(parent: int) -> list[int]:
    """Return the processes that a process has started."""
    return list(map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split()))


def _look(process: int, terminal: int, seen: Watched, now: float) -> None:
    ready, _, _ = select.select([terminal], [], [], EVERY_SECONDS)
    if ready:
        try:
            text = os.read(terminal, 1 << 16)
        except OSError:  # the other end is closed
            text = b""
            time.sleep(EVERY_SECONDS)
        seen.text = (seen.text + text)[-4000:]
        if seen.first is None and any(int(number) for number in COUNT.findall(text)):
            seen.first, seen.first_cpu = now, _cpu_seconds(process)
    for pid in (process, *workers(process)):
        seen.peaks[pid] = max(seen.peaks.get(pid, 0.0), _peak_gibibytes(pid))


def _stop(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _peak_gibibytes(process: int) -> float:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 2**20 if found else 0.0


def _cpu_seconds(process: int) -> float:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
