"""What every command shares: how it fails, is interrupted, reports progress and sums up."""

import json
import math
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import click

from snac_model.errors import Failure
from snac_model.places import DEFAULT_MODEL

SECONDS_BETWEEN_LINES = 10.0
LESS_MEMORY = "Stop what else needs it, or give fewer --workers."

# What moves a terminal's cursor, changes its colours or the direction of text; and what is no text.
_NOT_SHOWN = r"\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_CONTROLS = re.compile(rf"[\x00-\x1f{_NOT_SHOWN}]")
_CONTROLS_IN_LINES = re.compile(rf"[\x00-\x08\x0b-\x1f{_NOT_SHOWN}]")

Item = TypeVar("Item")


class Terminated(BaseException):
    """SIGTERM arrived; raised in the main thread so that everything is put away in order.

    Like KeyboardInterrupt no Exception, so that ``except Exception`` does not swallow it.
    """


class Tool(click.Command):
    """A command with the project's manners.

    Failures are one message on stderr; exit codes are 0 done, 1 failed, 2 usage, 130 and 143
    interrupted; a closed pipe ends it quietly. ``example`` closes the help text.
    """

    def __init__(self, *args: Any, example: str = "", **kwargs: Any) -> None:
        settings = {"help_option_names": ["-h", "--help"], "show_default": True}
        kwargs["context_settings"] = {**settings, **kwargs.get("context_settings", {})}
        super().__init__(*args, **kwargs)
        self.example = example

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Close the help with the example."""
        with formatter.section("Example"):
            for line in self.example.strip().splitlines():
                formatter.write_text(line.strip())

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn what goes wrong into a message and an exit code."""
        signal.signal(signal.SIGTERM, _raise_terminated)
        try:
            return super().invoke(ctx)
        except Failure as failure:
            _end(f"error: {failure}", failure.exit_code)
        except KeyboardInterrupt:
            _end("interrupted", 130)
        except Terminated:
            _end("terminated", 143)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(0) from None
        except OSError as error:
            _end(f"error: {error}", 1)
        except MemoryError as error:
            _end(f"error: out of memory ({error}). {LESS_MEMORY}", 1)


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
    return click.option("--model", default=DEFAULT_MODEL, help="Hub id, folder, or builtin:NAME.")(
        command
    )


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


def note(message: str) -> None:
    """Tell the person something, on stderr; of control characters only line ends and tabs pass."""
    click.echo(_CONTROLS_IN_LINES.sub(_escape, message), err=True)


def visible(text: str) -> str:
    """Return text that is safe to show in one line: control characters become escapes."""
    return _CONTROLS.sub(_escape, text)


def print_summary(*, to_stderr: bool = False, **fields: Any) -> None:
    """Print the one JSON line that closes a command's output; on stderr when stdout is data.

    Numbers that JSON lacks (NaN, infinities) become null.
    """
    line = json.dumps(without_nan(fields), ensure_ascii=False, allow_nan=False)
    click.echo(_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", line), err=to_stderr)


def without_nan(value: Any) -> Any:
    """Return a value for JSON with None in place of each NaN and infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return value


@contextmanager
def progress(
    total: int | None, what: str, unit: str, *, shown: bool = True
) -> Iterator[Callable[..., object]]:
    """Yield a function that counts work done: a bar on a terminal, plain lines otherwise.

    It takes the count, and as keywords any figures to show beside it, such as ``loss="0.12"``.
    Of several processes on one piece of work, one has it ``shown``.
    """
    if not shown:
        yield lambda count, **figures: None
    elif sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=total, desc=what, unit=f" {unit}", dynamic_ncols=True) as bar:

            def advance(count: int, **figures: str) -> None:
                bar.set_postfix(figures, refresh=False)
                bar.update(count)

            yield advance
    else:
        lines = _ProgressLines(total, what, unit)
        yield lines.update
        lines.close()


def track(items: Iterable[Item], total: int | None, what: str, unit: str) -> Iterator[Item]:
    """Yield the items, showing progress as they are asked for."""
    with progress(total, what, unit) as advance:
        for item in items:
            yield item
            advance(1)


class _ProgressLines:
    """Progress as a line now and then, for logs."""

    def __init__(self, total: int | None, what: str, unit: str) -> None:
        self.label = what
        self.unit = unit
        self.total = total
        self.done = 0
        self.figures = ""
        self.started = self.shown = time.monotonic()

    def update(self, count: int, **figures: str) -> None:
        self.done += count
        self.figures = "".join(f", {name} {value}" for name, value in figures.items())
        if time.monotonic() - self.shown >= SECONDS_BETWEEN_LINES:
            self.shown = time.monotonic()
            self.show()

    def show(self) -> None:
        elapsed = time.monotonic() - self.started
        rate = self.done / elapsed if elapsed else 0.0
        total = "" if self.total is None else f"/{self.total}"
        left = (
            ""
            if self.total is None or not rate
            else f", {(self.total - self.done) / rate:.0f} s left"
        )
        note(f"{self.label}: {self.done}{total} {self.unit}, {rate:.1f}/s{self.figures}{left}")

    def close(self) -> None:
        self.show()


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _raise_terminated(signum: int, frame: FrameType | None) -> None:
    raise Terminated


def _end(message: str, code: int) -> None:
    note(message)
    raise SystemExit(code)
