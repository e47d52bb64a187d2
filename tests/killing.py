"""Training in processes of its own that are killed at a chosen moment.

A fork server has torch imported already, so that a run costs its own time alone.
"""

import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

PRELOADED = [
    "snac_train.session",
    "snac_train.cli.train",
    "snac_cache.store",
    "killing",
    "torch._dynamo",  # an optimizer imports it, and accelerate the other one: seconds a process
    "torch.distributed.tensor",
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


def start(
    arguments: Sequence[object],
    moment: Moment | None = None,
    *,
    log: Path,
    environment: dict[str, str] | None = None,
) -> ForkServerProcess:
    """Start ``snac-train`` with ``arguments``; its stderr goes to the end of ``log``."""
    context = multiprocessing.get_context("forkserver")
    texts = [str(argument) for argument in arguments]
    process = context.Process(target=_train, args=(texts, moment, log, environment or {}))
    process.start()
    return process


def run(arguments: Sequence[object], moment: Moment | None = None, *, log: Path) -> int:
    """Run ``snac-train`` to its end and return its exit code, negative for a signal."""
    process = start(arguments, moment, log=log)
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def run_two(arguments: Sequence[object], moment: Moment | None = None, *, log: Path) -> list[int]:
    """Run it as two processes; where the first one is killed, the second one is too."""
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    first, second = (
        start(
            arguments,
            moment if rank == 0 else None,
            log=log,
            environment={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    )
    first.join()
    if first.exitcode == -signal.SIGKILL:
        second.kill()
    second.join()
    return [int(process.exitcode or 0) for process in (first, second)]


def _train(
    arguments: list[str], moment: Moment | None, log: Path, environment: dict[str, str]
) -> None:
    from snac_train.cli.train import main

    os.environ.update(environment)
    with log.open("a") as file:
        os.dup2(file.fileno(), 2)
        os.dup2(file.fileno(), 1)
    if moment:
        _arm(moment)
    main(arguments)


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


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
