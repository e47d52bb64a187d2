"""Commands that one of ours tells the person to give, as they work in the person's shell."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from snac_common.artifacts import Artifacts


def command_line(name: str, *arguments: str, root: Path | None = None) -> str:
    """Return a line that can be pasted: the name alone where the shell finds it, else its path.

    ``uv run`` puts our commands on PATH for the command that it starts, not for the shell.

    Args:
        name: of one of our commands, such as ``snac-status``.
        arguments: not quoted yet.
        root: the artifact root, which is named unless it is the one that is found without.
    """
    words = list(arguments)
    if root is not None and Artifacts.at(None).root != root:
        words += ["--artifacts", str(root)]
    return " ".join([_program(name), *map(shlex.quote, words)])


def _program(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = "UV" not in os.environ and shutil.which(name) is not None
    if found or not beside.exists():
        return name
    beside = beside.absolute()
    below = beside.is_relative_to(Path.cwd())
    return shlex.quote(str(beside.relative_to(Path.cwd()) if below else beside))
