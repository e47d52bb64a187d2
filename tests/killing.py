"""Commands in processes of their own, killed at a chosen moment, or from outside.

A fork server has torch imported already, so that a command costs its own time alone. The workers
that a command starts are forked from the same server.
"""

import multiprocessing
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any
from unittest.mock import patch

TRAIN = "snac_train.cli.train"
PRELOADED = [
    "snac_cache.encoding.encode_parts",
    "snac_cache.cli.cache",
    "snac_cache.cli.upsample",
    "snac_cache.checks.runner",
    "snac_cache.store",
    "snac_eval.cli.evaluate",
    "snac_eval.evaluation.evaluate",
    "snac_train.cli.train",
    "snac_train.commands.detach",
    "snac_train.commands.preflight",
    "snac_train.commands.resolve",
    "snac_train.legacy.config",
    "snac_train.session.train",
    "killing",
    "einops._torch_specific",
    "torch._dynamo",  # an optimizer imports it, and accelerate the other one: seconds a process
    "torch.distributed.tensor",
    "pandas",  # DuckDB imports it where it is
    "frozen",
]


@dataclass(frozen=True)
class Moment:
    """The ``call``-th call of a function, ``module:name`` or ``module:Class.name``.

    Attributes:
        after: when it has returned, not when it is about to begin.
        number: the signal that the process then sends to itself.
    """

    function: str
    call: int
    after: bool = True
    number: int = signal.SIGKILL


@dataclass(frozen=True)
class Surroundings:
    """What a command is started in, beside its arguments.

    Attributes:
        stdin: a file, or a named pipe, that it reads; by default nothing.
        stdout: one that it writes to; by default its log.
        largest_file: bytes that a file may have, as if the disk were full then. Of the command
            itself, not of workers.
        own_group: whether it leads a process group, to which its workers belong too: they are then
            forked from a server of its own, which takes seconds to start.
    """

    environment: dict[str, str] = field(default_factory=dict)
    stdin: Path | None = None
    stdout: Path | None = None
    largest_file: int | None = None
    own_group: bool = False


def start_fork_server() -> None:
    """Start the process that the commands and their workers are forked from."""
    forkserver.set_forkserver_preload(PRELOADED)
    here = os.fspath(Path(__file__).parent)  # of the path for imports, it knows what is set here
    given = os.environ.get("PYTHONPATH")
    path = here if given is None else f"{here}{os.pathsep}{given}"
    with patch.dict(os.environ, PYTHONPATH=path):
        forkserver.ensure_running()


def start(
    module: str,
    arguments: Sequence[object],
    moment: Moment | None = None,
    *,
    log: Path,
    surroundings: Surroundings | None = None,
) -> ForkServerProcess:
    """Start the command of ``module``; what it says goes to the end of ``log``."""
    context = multiprocessing.get_context("forkserver")
    texts = [str(argument) for argument in arguments]
    around = surroundings or Surroundings()
    forkserver.ensure_running()
    command = partial(_command, server=_fork_server(), log=log, around=around)
    process = context.Process(target=command, args=(module, texts, moment))
    process.start()
    return process


def run_command(
    module: str,
    arguments: Sequence[object],
    moment: Moment | None = None,
    *,
    log: Path,
    surroundings: Surroundings | None = None,
) -> int:
    """Run a command to its end and return its exit code, negative for a signal."""
    process = start(module, arguments, moment, log=log, surroundings=surroundings)
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def run(arguments: Sequence[object], moment: Moment | None = None, *, log: Path) -> int:
    """Run ``snac-train`` to its end and return its exit code, negative for a signal."""
    return run_command(TRAIN, arguments, moment, log=log)


def workers(command: ForkServerProcess) -> list[int]:
    """Return the processes that were forked beside a command's, with the command running."""
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    forked = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    return [process for process in map(int, forked) if process != command.pid]


def run_two(arguments: Sequence[object], moment: Moment | None = None, *, log: Path) -> list[int]:
    """Run ``snac-train`` as two processes; where the first one is killed, the second one is too."""
    first, second = start_two(arguments, moment, log=log)
    first.join()
    if first.exitcode == -signal.SIGKILL:
        second.kill()
    second.join()
    return [int(process.exitcode or 0) for process in (first, second)]


def start_two(
    arguments: Sequence[object],
    moment: Moment | None = None,
    *,
    log: Path,
    own_group: bool = False,
) -> list[ForkServerProcess]:
    """Start ``snac-train`` as two processes; the moment is the first one's."""
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    return [
        start(
            TRAIN,
            arguments,
            moment if rank == 0 else None,
            log=log,
            surroundings=Surroundings(
                {**common, "RANK": str(rank), "LOCAL_RANK": str(rank)}, own_group=own_group
            ),
        )
        for rank in range(2)
    ]


def wait_until_stopped(process: ForkServerProcess) -> None:
    """Return when a moment's SIGSTOP has halted a process, or it has ended."""
    while process.exitcode is None:
        if Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
            return
        time.sleep(0.05)


def _command(
    module: str,
    arguments: list[str],
    moment: Moment | None,
    *,
    server: dict[str, Any],
    log: Path,
    around: Surroundings,
) -> None:
    if around.own_group:
        os.setsid()
    else:
        _share_fork_server(server)
    os.environ.update(around.environment)
    for path, flags, descriptors in (
        (around.stdin or os.devnull, os.O_RDONLY, (0,)),
        (log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, (1, 2)),
        (around.stdout, os.O_WRONLY, (1,)),
    ):
        for descriptor in descriptors:
            if path is None:
                continue
            os.dup2(os.open(path, flags), descriptor)
    sys.stdin = os.fdopen(0)  # multiprocessing has put another in its place
    if around.largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (around.largest_file,) * 2)
    main = import_module(module).main
    if moment:
        _arm(moment)
    main(arguments)


def _fork_server() -> dict[str, Any]:
    """Return how a process can ask the fork server for others."""
    state = vars(forkserver._forkserver)
    return {
        name: state[name]
        for name in ("_forkserver_address", "_forkserver_authkey")
        if name in state
    }


def _share_fork_server(server: dict[str, Any]) -> None:
    """Ask the tests' fork server for workers; a process without one would start another."""
    vars(forkserver._forkserver).update(server, ensure_running=lambda: None)
    forkserver.ensure_running = lambda: None


def _arm(moment: Moment) -> None:
    """Replace the moment's function by one that counts its calls."""
    module_name, _, path = moment.function.partition(":")
    *owners, name = path.split(".")
    owner: Any = import_module(module_name)
    for part in owners:
        owner = getattr(owner, part)
    original: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        now = calls == moment.call
        if now and not moment.after:
            os.kill(os.getpid(), moment.number)
        result = original(*arguments, **options)
        if now and moment.after:
            os.kill(os.getpid(), moment.number)
        return result

    setattr(owner, name, counted)


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
