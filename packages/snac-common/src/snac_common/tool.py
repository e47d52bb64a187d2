"""The manners of a command: how it is called, fails, is interrupted, and shows its help."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import click

from snac_common.addresses import address, is_address
from snac_common.artifacts import given
from snac_common.choices import NearestChoice
from snac_common.console import complain, escape_what_cannot_be_shown, set_quiet
from snac_common.earlier_options import where_it_went
from snac_common.errors import Failure
from snac_common.full_disk import in_words

TWO_COLUMNS = 60  # characters of a terminal
LESS_MEMORY = "Stop what else needs it, or give fewer --workers."


class Terminated(BaseException):
    """SIGTERM arrived; raised in the main thread so that everything is put away in order.

    Like KeyboardInterrupt no Exception, so that ``except Exception`` does not swallow it.
    """


class Tool(click.Command):
    """A command with the project's manners.

    Failures are one message on stderr; exit codes are 0 done, 1 failed, 2 usage, 130 and 143
    interrupted; a closed pipe ends it quietly. Every command has ``--quiet`` and ``--version``.
    ``example`` closes the help text; its first word is the command's name.
    """

    def __init__(self, *args: Any, example: str = "", **kwargs: Any) -> None:
        settings = {"help_option_names": ["-h", "--help"], "show_default": True}
        kwargs["context_settings"] = {**settings, **kwargs.get("context_settings", {})}
        kwargs["params"] = [*kwargs.get("params", []), _quiet_option(), _version_option()]
        super().__init__(*args, **kwargs)
        self.example = example
        self.name = next(iter(example.split()), self.name)
        for option in self.params:
            if type(option.type) is click.Choice:
                option.type = NearestChoice(option.type.choices)
            if isinstance(option, click.Option) and _shows_no_default(option):
                option.help = f"{option.help} [default: none]"

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the options; where there is no room for two columns, texts below their names."""
        if formatter.width >= TWO_COLUMNS:
            super().format_options(ctx, formatter)
            return
        rows = [row for option in self.get_params(ctx) if (row := option.get_help_record(ctx))]
        with formatter.section("Options"):
            for name, text in rows:
                formatter.write_text(
                    name.replace("|", "| ") if len(name) > formatter.width else name
                )
                with formatter.indentation():
                    formatter.write_text(text)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Close the help with the example, in lines that can be copied, however long."""
        with formatter.section("Example"):
            for line in self.example.strip().splitlines():
                formatter.write(f"  {line.strip()}\n")

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command from its arguments; click's entry."""
        # Threads of torch that wait shall sleep: where others use the cores too, spinning makes a
        # command ten times slower. Read when torch is loaded, and inherited by every worker.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        escape_what_cannot_be_shown()
        return super().main(*args, **kwargs)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the arguments; what is wrong with them is one message, and exit code 2."""
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            _refuse(self.name, error)
            raise

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; answer options in an earlier spelling with today's."""
        try:
            rest = super().parse_args(ctx, args)
            self._refuse_addresses(ctx)
            return rest
        except click.NoSuchOption as error:
            known = [name for option in self.params for name in option.opts]
            ours = where_it_went(str(self.name), error.option_name, known)
            if ours is None:
                raise
            message = f"there is no option {error.option_name}: write {ours}"
            raise click.UsageError(message, ctx) from None

    def _refuse_addresses(self, ctx: click.Context) -> None:
        """Refuse an address in an object store where a path is wanted: it would be taken for one.

        Raises:
            click.UsageError: naming the option.
        """
        for option in self.params:
            value = ctx.params.get(str(option.name))
            values = value if isinstance(value, tuple) else (value,)
            for place in values if type(option.type) is click.Path else ():
                if isinstance(place, str | Path) and is_address(place):
                    said = f"{option.opts[-1]} is a path on this machine, not {address(place)}"
                    raise click.UsageError(said, ctx)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn what goes wrong into a message and an exit code."""
        signal.signal(signal.SIGTERM, _raise_terminated)
        try:
            with given(ctx.params.get("artifacts")):
                return super().invoke(ctx)
        except Failure as failure:
            _end(f"error: {failure}", failure.exit_code)
        except click.UsageError as error:
            _refuse(self.name, error)
        except KeyboardInterrupt:
            _end("interrupted", 130)
        except Terminated:
            _end("terminated", 143)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(0) from None
        except OSError as error:
            _end(f"error: {in_words(error)}", 1)
        except MemoryError as error:
            _end(f"error: out of memory ({error}). {LESS_MEMORY}", 1)


def _shows_no_default(option: click.Option) -> bool:
    """Say whether an option takes a value, has none by default, and its help does not say so."""
    shown = "[default: " in (option.help or "") or "[recipe: " in (option.help or "")
    there = isinstance(option.default, str | int | float)
    return not (option.is_flag or option.required or shown or there)


def _quiet_option() -> click.Option:
    return click.Option(
        ["-q", "--quiet"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_be_quiet,
        help="Show neither progress nor notes; errors and results stay.",
    )


def _be_quiet(ctx: click.Context, option: click.Parameter, quiet: bool) -> None:
    set_quiet(quiet)
    if quiet:
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # of downloads; the Hub's own variable


def _version_option() -> click.Option:
    return click.Option(
        ["--version"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_show_version,
        help="Show the version and exit.",
    )


def _show_version(ctx: click.Context, option: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"{ctx.command.name} {version('snac-common')}")
        ctx.exit()


def _raise_terminated(signum: int, frame: FrameType | None) -> None:
    raise Terminated


def _refuse(name: str | None, error: click.UsageError) -> None:
    message = error.format_message().rstrip(".")
    end = "" if message.endswith("?") else "."
    _end(f"error: {message}{end} {name} --help shows all options.", error.exit_code)


def _end(message: str, code: int) -> None:
    complain(message)
    raise SystemExit(code)
