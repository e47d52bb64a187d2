"""Options that several commands of this package share."""

from collections.abc import Callable
from typing import Any

import click


def limit_options(verb: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add ``--limit`` and ``--val-limit``, which ``limit.samples`` takes.

    Args:
        verb: what the command does with the utterances, such as ``Encode``.
    """

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for name, split in (("--val-limit", "val"), ("--limit", "train")):
            what = f"{verb} only N {split} utterances, chosen by a hash of their ids; 0 means all."
            command = click.option(name, type=click.IntRange(0), metavar="N", default=0, help=what)(
                command
            )
        return command

    return add


def detach_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--detach`` to a command that works for hours."""
    return click.option(
        "--detach",
        is_flag=True,
        help="Work in the background, and return when the work has begun. snac-status shows "
        "how far it is, and snac-stop ends it.",
    )(command)


def rank_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--rank`` to a command whose work several processes may share."""
    return click.option(
        "--rank",
        metavar="NUMBER/WORLD",
        help="Do only one share of the parts, such as 3/16 for the fourth of sixteen. [default: "
        "what torchrun, accelerate launch, srun or a Slurm array says]",
    )(command)
