"""Tasks that workers on a Ray cluster find by this module's name."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4


class Died(BaseException):
    """A worker's death, where threads play Ray's part; in a process of its own it ends that."""


def die() -> NoReturn:
    """End this worker as the lack of memory would."""
    if "ray::" in Path("/proc/self/cmdline").read_text():
        os._exit(1)
    raise Died


def die_once(
    folder: Path, number: int, items: Iterator[int], send: Callable[[Any], object]
) -> None:
    """Do each item; die at number 5, the first time. ``begun`` tells what was begun."""
    for item in items:
        with (folder / "begun").open("a") as begun:
            begun.write(f"{item}\n")
        if item == 5 and not (folder / "died").exists():
            (folder / "died").touch()
            die()
        (folder / f"{item}.done").touch()
        send(item)


def die_with(
    deadly: set[int],
    folder: Path,
    number: int,
    items: Iterator[int],
    send: Callable[[Any], object],
) -> None:
    """Do each item; die with some, of which each death leaves a file."""
    for item in items:
        if item in deadly:
            (folder / str(uuid4())).touch()
            die()
        send(item)


def always_raise(number: int, items: Iterator[int], send: Callable[[Any], object]) -> None:
    """Fail with the first item."""
    raise KeyError("no such thing")
