"""Options that mean the same in every command."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from snac_common.addresses import place
from snac_common.choices import DeviceChoice, FiniteRange
from snac_common.errors import BadInput, Failure

DEFAULT_MODEL = "hubertsiuzdak/snac_24khz"


class Place(click.Path):
    """A path, or an address in an object store: that is the path where it is mirrored.

    Args:
        below: the folder of the mirror for it.
    """

    def __init__(self, *, below: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.below = below

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        try:
            found = value if str(value) == "-" else place(value, self.below)
        except BadInput as error:
            self.fail(str(error), param, ctx)
        return super().convert(found, param, ctx)


def artifacts_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--artifacts`` to a command."""
    return click.option(
        "--artifacts",
        type=Place(file_okay=False, path_type=Path),
        metavar="DIR",
        help="Folder that all commands read from and write to. [default: $SNAC_ARTIFACTS, else "
        "./artifacts]",
    )(command)


def codes_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--codes`` to a command."""
    return click.option(
        "--codes",
        type=Place(file_okay=False, path_type=Path),
        metavar="DIR",
        help="Folder of the cached codes, which holds train/ and val/. [default: ARTIFACTS/codes]",
    )(command)


def manifest_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--manifest`` to a command that reads one in any of its forms."""
    return click.option(
        "--manifest",
        type=Place(path_type=str, allow_dash=True),
        metavar="PATH",
        help="Folder of manifests, one of its files, or - for JSON lines on standard input. "
        "[default: ARTIFACTS/manifests]",
    )(command)


def max_reject_rate_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--max-reject-rate`` to a command."""
    return click.option(
        "--max-reject-rate",
        type=FiniteRange(0, 1),
        default=0.05,
        metavar="SHARE",
        help="Fail if more than this share of the input is rejected. The rest is written all the "
        "same.",
    )(command)


def model_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--model`` to a command."""
    return click.option(
        "--model",
        default=DEFAULT_MODEL,
        help="Model to use: a Hub id, a folder, the name of a run, or builtin:NAME, which needs no "
        "network.",
    )(command)


def device_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--device`` to a command."""
    return click.option(
        "--device",
        type=DeviceChoice(["auto", "cpu", "cuda"]),
        default="auto",
        help="Device to compute on; auto takes the GPU if there is one, else the CPU.",
    )(command)


def ray_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--ray`` to a command whose workers may run on a Ray cluster."""
    return click.option(
        "--ray",
        metavar="ADDRESS",
        help="Run the workers on a Ray cluster, one on each GPU, or on each core where there is no "
        "GPU: its address, such as 10.0.0.1:6379; auto for the cluster that this machine is in; or "
        "local to start one here. [default: workers on this machine, without Ray]",
    )(command)


def check_reject_rate(
    rejects: Mapping[str, int],
    accepted: int,
    max_reject_rate: float,
    *,
    where: Path | None = None,
    advice: str = "",
) -> None:
    """Raise Failure if too much of the input was rejected; to be called when all is written.

    Args:
        rejects: how many inputs were rejected, by reason.
        where: the file or folder that says of each why.
        advice: how what was rejected is tried again.
    """
    rejected = sum(rejects.values())
    total = rejected + accepted
    if rejected > max_reject_rate * total:
        by_number = sorted(rejects.items(), key=lambda item: (-item[1], item[0]))
        reasons = ", ".join(f"{reason} {count}" for reason, count in by_number)
        place = f"See {where}; mend" if where else "Mend"
        raise Failure(
            f"{rejected} of {total} inputs were rejected, more than --max-reject-rate "
            f"{max_reject_rate:g} allows: {reasons}. {place} the input, or raise the limit. "
            f"{advice}".rstrip()
        )


def check_not_empty(count: int, doing: str, advice: str) -> None:
    """Raise Failure if there is no input: a command that did nothing has not done its work.

    Args:
        doing: what it would have done, such as ``encode``.
        advice: where to look, as a sentence.
    """
    if not count:
        raise Failure(f"there is nothing to {doing}: {advice}")
