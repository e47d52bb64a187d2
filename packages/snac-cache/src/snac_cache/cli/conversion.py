"""What ``snac-encode`` and ``snac-decode`` share: options, and the line that closes them."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from snac_cache.convert.converted import Converted
from snac_common.console import print_summary
from snac_common.options import (
    check_not_empty,
    check_reject_rate,
    device_option,
    max_reject_rate_option,
    model_option,
)

_OPTIONS = (
    model_option,
    device_option,
    click.option(
        "--workers",
        type=click.IntRange(1),
        help="Number of CPU threads, each with a file of its own. [default: one per core]",
    ),
    click.option(
        "--rejects",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="File to list what was left out, and why, as JSON lines. "
        "[default: OUTPUT.rejects.jsonl; no file for -]",
    ),
    max_reject_rate_option,
)


def conversion_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of both commands."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def sum_up(
    done: Converted,
    left_out: Counter[str],
    *,
    doing: str,
    seconds: float,
    output: str,
    max_reject_rate: float,
    **figures: Any,
) -> None:
    """Print the summary; raise Failure if too much was left out.

    Args:
        left_out: how many utterances, by reason.
        doing: ``encode`` or ``decode``.
        seconds: that it took.
        output: ``-`` where standard output holds data.
        figures: of this command alone.
    """
    print_summary(
        to_stderr=output == "-",
        utterances=done.utterances,
        audio_seconds=round(done.audio_seconds, 3),
        rejects=left_out,
        **figures,
        audio_seconds_per_second=round(done.audio_seconds / seconds, 1),
    )
    given = done.utterances + left_out.total()
    check_not_empty(given, doing, "no utterance was given. Is the command before it right?")
    check_reject_rate(left_out, done.utterances, max_reject_rate)
