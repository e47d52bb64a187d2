"""Options that several commands of this package share."""

from collections.abc import Callable
from typing import Any

import click


def rank_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--rank`` to a command whose work several processes may share."""
    return click.option(
        "--rank",
        metavar="NUMBER/WORLD",
        help="Do only this share of the parts, such as 0/16 to 15/16. [default: what torchrun, "
        "accelerate launch, srun or a Slurm array says]",
    )(command)
