"""Every command explains itself, and at once: nothing heavy is imported for it."""

import re
import subprocess
import sys
from importlib import import_module

import click
import pytest

from snac_common.tool import Tool

HEAVY = ("torch", "torchaudio", "pyarrow", "matplotlib", "accelerate")

CALL = """
import importlib, sys
module, function = {entry_point!r}.split(":")
try:
    getattr(importlib.import_module(module), function)([{option!r}], prog_name={command!r})
finally:
    print("HEAVY", [name for name in {heavy!r} if name in sys.modules])
"""


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_shows_an_example_and_defaults_without_torch(
    command: str, entry_point: str, option: str
) -> None:
    call = CALL.format(entry_point=entry_point, option=option, command=command, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    text, imported = done.stdout.rsplit("HEAVY ", 1)
    usage, example = text.split("Example:")
    assert usage.startswith(f"Usage: {command} ")
    assert f"{command} " in example
    assert "[default:" in usage
    assert imported.strip() == "[]"


def options_of(entry_point: str) -> dict[str, str]:
    """Return what the help of a command says of each of its options, in one line each."""
    module, function = entry_point.split(":")
    command: Tool = getattr(import_module(module), function)
    context = click.Context(command, info_name=command.name, **command.context_settings)
    options = [option for option in command.params if isinstance(option, click.Option)]
    records = {option: option.get_help_record(context) for option in options}
    return {
        option.opts[-1]: " ".join(record[1].split())
        for option, record in records.items()
        if record and not option.is_flag and not option.required
    }


def test_each_option_that_takes_a_value_shows_its_default(command: str, entry_point: str) -> None:
    shown = re.compile(r"\[(default|recipe|a resumed run)")
    lacking = [name for name, text in options_of(entry_point).items() if not shown.search(text)]
    assert lacking == []


def test_what_is_said_of_an_option_is_a_sentence(command: str, entry_point: str) -> None:
    for name, text in options_of(entry_point).items():
        said = re.sub(r"(\s*\[[^]]*\])+$", "", text)
        assert re.fullmatch(r"[A-Z0-9].*[^.]\.", said), f"{name}: {text}"


def test_each_example_is_a_command_line_of_ours(command: str, entry_point: str) -> None:
    """Of the command itself, with options that it has."""
    module, function = entry_point.split(":")
    tool: Tool = getattr(import_module(module), function)
    known = {name for option in tool.params for name in (*option.opts, *option.secondary_opts)}
    lines = tool.example.strip().splitlines()
    own = [part for line in lines for part in line.split("|") if command in part.split()]
    assert own
    for part in own:
        words = part[part.index(command) :].split()
        used = {word for word in words if re.fullmatch(r"--[a-z0-9-]+|-[a-z]", word)}
        assert used <= known, f"{part}: {used - known}"
