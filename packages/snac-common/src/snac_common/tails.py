"""The ends of files that grow."""

from pathlib import Path

TAIL_BYTES = 64 * 1024


def tail(path: Path) -> bytes:
    """Return the last bytes of a file; none if it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            return file.read()
    except OSError:
        return b""


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of a log; a bar's many states in one line count as its last."""
    text = tail(path).decode(errors="replace")
    lines = [line.rpartition("\r")[2] for line in text.split("\n")]
    return [line for line in lines if line][-count:] if count else []
