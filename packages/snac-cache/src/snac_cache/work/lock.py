"""One command at a time in a folder, unless the commands are ranks of one piece of work."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from snac_common.console import note
from snac_common.errors import Failure

NAME, PLANNING = ".lock", ".planning"


@contextmanager
def working_in(folder: Path, command: str, *, shared: bool = False) -> Iterator[None]:
    """Hold a folder while writing into it; the system lets go of it whatever ends this process.

    Args:
        shared: with others that share, such as the ranks of one piece of work.

    Raises:
        Failure: naming who holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / NAME).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure(
                f"another command is at work in {folder}: {_holder(file.name)}. Wait for it, stop "
                "it, or give another folder."
            ) from None
        except OSError as error:  # a file system without locks
            note(f"{folder} cannot be locked ({error.strerror}): start no second command there")
        _introduce(Path(file.name), command)
        yield


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Let ranks that share a folder do what follows one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / PLANNING).open("a") as file:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _introduce(path: Path, command: str) -> None:
    said = {
        "command": command,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    path.write_text(json.dumps(said) + "\n", encoding="utf-8")


def _holder(name: str) -> str:
    try:
        said = json.loads(Path(name).read_text(encoding="utf-8"))
        return f"{said['command']}, process {said['pid']} on {said['host']}, since {said['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "it has not said which"
