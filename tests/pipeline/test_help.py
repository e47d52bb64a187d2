"""Every command explains itself, and at once: nothing heavy is imported for it."""

import subprocess
import sys

import pytest

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
    assert "[default: " in usage
    assert imported.strip() == "[]"
