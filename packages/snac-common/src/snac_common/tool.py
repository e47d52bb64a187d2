"""The manners of a command: how it fails, is interrupted, and shows its help."""

import os
import signal
import sys
from types import FrameType
from typing import Any

import click

from snac_common.console import note
from snac_common.errors import Failure

LESS_MEMORY = "Stop what else needs it, or give fewer --workers."


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


def _raise_terminated(signum: int, frame: FrameType | None) -> None:
    raise Terminated


def _end(message: str, code: int) -> None:
    note(message)
    raise SystemExit(code)
