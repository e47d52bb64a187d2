"""What the tests of commands share: audio to work on, and the commands as real processes."""

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import numpy as np
import soundfile
from click.testing import CliRunner, Result, _NamedTextIOWrapper

from snac_cache.work.lock import NAME, PLANNING
from snac_common.jobs import NAME as STATE


def write_tone(path: Path, seconds: float, rate: int = 48000, channels: int = 1) -> None:
    """Write a rising tone with a little noise; its content depends on its length alone."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(len(time)).standard_normal(len(time))
    audio = 0.3 * np.sin(2 * np.pi * (200 + 150 * time) * time) + 0.02 * noise
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.stack([audio] * channels, axis=1), rate)


def command(module: str, *arguments: object) -> list[str]:
    """Return the command line of a command module, such as ``snac_cache.cli.cache``."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def run(module: str, *arguments: object, stdin: str | None = None) -> Result:
    """Run a command to its end, in this process: most tests need no other, and torch is loaded."""
    main = import_module(module).main
    return CliRunner().invoke(main, list(map(str, arguments)), input=stdin)


def succeed(module: str, *arguments: object, stdin: str | None = None) -> dict[str, Any]:
    """Run a command that must succeed; return the JSON line that closes its output."""
    result = run(module, *arguments, stdin=stdin)
    assert result.exit_code == 0, result.stderr
    return last_line(result)


def last_line(result: Result) -> dict[str, Any]:
    """Return the JSON line that closes a command's output."""
    parsed: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return parsed


def query(sql: str) -> list[tuple[Any, ...]]:
    """Ask plain DuckDB."""
    answer = duckdb.sql(sql)
    assert answer is not None
    return answer.fetchall()


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a folder but its locks and states, by its path."""
    return {
        os.fspath(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (NAME, PLANNING) and not path.name.startswith(STATE)
    }


def on_a_terminal(module: str, *arguments: object, columns: int = 80) -> Result:
    """Run a command as ``run`` does, with all three streams on a terminal."""
    here = {"COLUMNS": str(columns)}
    terminal = patch.object(_NamedTextIOWrapper, "isatty", lambda self: True)
    with terminal, patch.dict(os.environ, here):
        return run(module, *arguments)
