"""Commands in a process of their own that kills itself at a chosen write."""

import multiprocessing
import os
import signal
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import snac_model.files


def run_killed(module: str, arguments: Sequence[object], flush: int, log: Path) -> int:
    """Run a command module until its ``flush``-th flush to the disk; return its exit code.

    Every file that is written whole is flushed before it gets its name, and its folder after that:
    so counting flushes finds the moments on both sides of each rename.
    """
    context = multiprocessing.get_context("forkserver")
    texts = [str(argument) for argument in arguments]
    process = context.Process(target=_run, args=(module, texts, flush, log))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _run(module: str, arguments: list[str], flush: int, log: Path) -> None:
    with log.open("a") as file:
        os.dup2(file.fileno(), 2)
        os.dup2(file.fileno(), 1)
    original, calls = snac_model.files.flush_to_disk, 0

    def counted(path: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == flush:
            os.kill(os.getpid(), signal.SIGKILL)
        original(path)

    files: Any = snac_model.files
    files.flush_to_disk = counted
    import_module(module).main(arguments)
