"""Several processes that share a list of parts without a coordinator.

Each takes the next part nobody has taken, from a shared counter, and tells what it did through a
pipe of its own. When one fails or dies, the others are stopped; what they had finished stays.

They are forked from a server process that has imported all they need and done nothing else: so
torch is imported once for all of them, and no thread or GPU context is forked.
"""

import multiprocessing
import signal
import traceback
from collections.abc import Callable, Iterator
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from typing import Any

from snac_model.errors import Failure

# A task is called with the worker's number, an iterator of the items it takes, and a function that
# sends a message to the parent.
Task = Callable[[int, Iterator[Any], Callable[[Any], None]], None]


def prepare_workers(module: str) -> None:
    """Have the server import ``module``, which holds the task, while the caller goes on."""
    forkserver.set_forkserver_preload([module])
    forkserver.ensure_running()


def run_alone(task: Task, items: list[Any], receive: Callable[[Any], None]) -> None:
    """Run the task over all items in this process."""
    task(0, iter(items), receive)


def run_workers(task: Task, items: list[Any], receive: Callable[[Any], None], count: int) -> None:
    """Run the task in ``count`` new processes that share the items; receive what they send.

    Raises:
        Failure: with the worker's traceback, if one raises; with its exit code, if one dies.
    """
    context = multiprocessing.get_context("forkserver")
    counter = context.Value("q", 0)
    workers: dict[Connection, ForkServerProcess] = {}
    try:
        for number in range(count):
            reader, writer = context.Pipe(duplex=False)
            arguments = (task, number, items, counter, writer)
            process = context.Process(target=_work, args=arguments, daemon=True)
            process.start()
            writer.close()
            workers[reader] = process
        _receive_all(workers, receive)
    finally:
        for process in workers.values():
            process.terminate()
        for process in workers.values():
            process.join()


def _receive_all(
    workers: dict[Connection, ForkServerProcess], receive: Callable[[Any], None]
) -> None:
    """Pass on messages until every worker has said that it is done."""
    running = set(workers)
    while running:
        for reader in wait(list(running)):
            assert isinstance(reader, Connection)
            try:
                kind, content = reader.recv()
            except EOFError:
                workers[reader].join()
                code = workers[reader].exitcode
                raise Failure(
                    f"a worker died with exit code {code} (killed, or out of memory?); finished "
                    "parts are kept, and the same command carries on"
                ) from None
            if kind == "failed":
                raise Failure(f"a worker failed:\n{content}")
            if kind == "done":
                running.remove(reader)
            else:
                receive(content)


def _work(task: Task, number: int, items: list[Any], counter: Any, writer: Connection) -> None:
    """Run in the worker: the parent handles Ctrl-C for all, so it is ignored here."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        task(number, _take(items, counter), lambda message: writer.send(("message", message)))
        writer.send(("done", None))
    except Failure as failure:
        writer.send(("failed", str(failure)))
    except Exception:
        writer.send(("failed", traceback.format_exc()))


def _take(items: list[Any], counter: Any) -> Iterator[Any]:
    """Yield items that no other worker has taken."""
    while True:
        with counter.get_lock():
            position = counter.value
            counter.value += 1
        if position >= len(items):
            return
        yield items[position]
