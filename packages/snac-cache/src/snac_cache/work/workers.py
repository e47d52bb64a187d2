"""Several processes that share a list of parts.

Each asks for the next part when it is ready for one, and tells what it did, through a pipe of its
own. When one fails or dies, the others are stopped; what they had finished stays.

They are forked from a server process that has imported all they need and done nothing else: so
torch is imported once for all of them, and no thread or GPU context is forked.
"""

import multiprocessing
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from typing import Any

from snac_common.errors import Failure
from snac_common.tool import LESS_MEMORY

# A task is called with the worker's number, an iterator of the items it takes, and a function that
# sends a message to the parent. One thread may take items while another one sends.
Task = Callable[[int, Iterator[Any], Callable[[Any], object]], None]

# Returns those of the items that are not done, of which a worker may have done some before it died.
Unfinished = Callable[[list[Any]], list[Any]]

Event = tuple[str, Any]  # one of these, and what goes with it
NEXT, MESSAGE, DONE, FAILED = "next", "message", "done", "failed"


def prepare_workers(module: str) -> None:
    """Have the server import ``module``, which holds the task, while the caller goes on."""
    forkserver.set_forkserver_preload([module])
    forkserver.ensure_running()


def run_alone(task: Task, items: Iterable[Any], receive: Callable[[Any], object]) -> None:
    """Run the task over all items in this process."""
    task(0, iter(items), receive)


def run_workers(
    task: Task, items: Iterable[Any], receive: Callable[[Any], object], count: int
) -> None:
    """Run the task in ``count`` new processes that share the items; receive what they send.

    A process is sent the task, and then one item at a time: what it holds does not grow with the
    number of items.

    Raises:
        Failure: with the worker's traceback, if one raises; with its exit code, if one dies.
    """
    context = multiprocessing.get_context("forkserver")
    workers: dict[Connection, ForkServerProcess] = {}
    try:
        for number in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(task, number, theirs), daemon=True)
            process.start()
            theirs.close()
            workers[ours] = process
        _serve(workers, iter(items), receive)
    finally:
        for process in workers.values():
            process.terminate()
        for process in workers.values():
            process.join()


def _serve(
    workers: dict[Connection, ForkServerProcess],
    items: Iterator[Any],
    receive: Callable[[Any], object],
) -> None:
    """Hand out items and pass on messages until every worker has said that it is done."""
    running = set(workers)
    while running:
        for pipe in wait(list(running)):
            assert isinstance(pipe, Connection)
            try:
                kind, content = pipe.recv()
                if kind == NEXT:
                    pipe.send(list(islice(items, 1)))
            except (EOFError, ConnectionError):
                raise _death(workers[pipe]) from None
            if kind == FAILED:
                raise Failure(f"a worker failed:\n{content}")
            if kind == DONE:
                running.remove(pipe)
            elif kind == MESSAGE:
                receive(content)


def _death(process: ForkServerProcess) -> Failure:
    process.join()
    return Failure(
        f"a worker died with exit code {process.exitcode} (killed, or out of memory?); finished "
        "parts are kept, and the same command carries on"
    )


class _ParentGoneError(BaseException):
    """The parent has ended; no Exception, which a task might take for one of its own."""


def _work(task: Task, number: int, pipe: Connection) -> None:
    """Run in the worker: the parent handles Ctrl-C for all, so it is ignored here."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lock = threading.Lock()

    def send(kind: str, content: Any = None) -> None:
        with lock, _with_parent():
            pipe.send((kind, content))

    def take() -> Iterator[Any]:
        while True:
            send(NEXT)
            with _with_parent():
                given = pipe.recv()
            if not given:
                return
            yield from given

    with suppress(_ParentGoneError), failures(lambda message: send(FAILED, message)):
        task(number, take(), lambda message: send(MESSAGE, message))
        send(DONE)


@contextmanager
def _with_parent() -> Iterator[None]:
    try:
        yield
    except (EOFError, ConnectionError) as error:
        raise _ParentGoneError from error


@contextmanager
def failures(say: Callable[[str], object]) -> Iterator[None]:
    """Say what goes wrong in a task, in words or as a traceback."""
    try:
        yield
    except Failure as failure:
        say(str(failure))
    except MemoryError as error:
        say(f"out of memory ({error}). {LESS_MEMORY}")
    except Exception:
        say(traceback.format_exc())
