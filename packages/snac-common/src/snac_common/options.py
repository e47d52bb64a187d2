"""Options that mean the same in every command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from snac_common.errors import Failure

DEFAULT_MODEL = "hubertsiuzdak/snac_24khz"


def artifacts_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--artifacts`` to a command."""
    return click.option(
        "--artifacts",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="Artifact root. [default: $SNAC_ARTIFACTS, else ./artifacts]",
    )(command)


def codes_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--codes`` to a command."""
    return click.option(
        "--codes",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="Cached codes, with train/ and val/. [default: ARTIFACTS/codes]",
    )(command)


def manifest_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--manifest`` to a command that reads one in any of its forms."""
    return click.option(
        "--manifest",
        metavar="PATH",
        help="Folder of manifests, one file, or - for JSON lines. [default: ARTIFACTS/manifests]",
    )(command)


def max_reject_rate_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--max-reject-rate`` to a command."""
    return click.option(
        "--max-reject-rate",
        type=click.FloatRange(0, 1),
        default=0.05,
        help="Fail if more than this share of the input is rejected.",
    )(command)


def model_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--model`` to a command."""
    return click.option(
        "--model",
        default=DEFAULT_MODEL,
        help="Model to use: a Hub id, a folder, the name of a run, or builtin:NAME.",
    )(command)


def device_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--device`` to a command."""
    return click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        help="Where to compute; auto takes the GPU if there is one.",
    )(command)


def check_reject_rate(
    rejected: int, accepted: int, max_reject_rate: float, advice: str = ""
) -> None:
    """Raise Failure if too much of the input was rejected; to be called when all is written.

    ``advice`` says how what was rejected is tried again.
    """
    total = rejected + accepted
    if rejected > max_reject_rate * total:
        raise Failure(
            f"{rejected} of {total} inputs were rejected, more than --max-reject-rate "
            f"{max_reject_rate:g} allows. The rejects say why; mend the input, or raise the limit. "
            f"{advice}".rstrip()
        )
