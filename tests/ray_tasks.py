"""Tasks that workers on a Ray cluster find by this module's name."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def die_once(
    folder: Path, number: int, items: Iterator[int], send: Callable[[Any], object]
) -> None:
    """Do each item; die at number 5, the first time. ``begun`` tells what was begun."""
    for item in items:
        with (folder / "begun").open("a") as begun:
            begun.write(f"{item}\n")
        if item == 5 and not (folder / "died").exists():
            (folder / "died").touch()
            os._exit(1)
        (folder / f"{item}.done").touch()
        send(item)


def always_die(number: int, items: Iterator[int], send: Callable[[Any], object]) -> None:
    """Die with the first item."""
    next(items)
    os._exit(1)


def always_raise(number: int, items: Iterator[int], send: Callable[[Any], object]) -> None:
    """Fail with the first item."""
    raise KeyError("no such thing")
