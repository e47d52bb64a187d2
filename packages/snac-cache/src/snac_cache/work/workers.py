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
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from typing import Any

from snac_common.errors import Failure
from snac_common.tool import LESS_MEMORY

# A task is called with the worker's number, an iterator of the items it takes, and a function that
# sends a message to the parent. One thread may take items while another one sends.
Task = Callable[[int, Iterator[Any], Callable[[Any], object]], None]

_NEXT, _MESSAGE, _DONE, _FAILED = "next", "message", "done", "failed"


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
                if kind == _NEXT:
                    pipe.send(list(_some(items)))
            except (EOFError, ConnectionError):
                raise _death(workers[pipe]) from None
            if kind == _FAILED:
                raise Failure(f"a worker failed:\n{content}")
            if kind == _DONE:
                running.remove(pipe)
            elif kind == _MESSAGE:
                receive(content)


def _some(items: Iterator[Any]) -> Iterator[Any]:
    """Yield one more item, or nothing after the last."""
    for item in items:
        yield item
        return


def _death(process: ForkServerProcess) -> Failure:
    process.join()
    return Failure(
        f"a worker died with exit code {process.exitcode} (killed, or out of memory?); finished "
        "parts are kept, and the same command carries on"
    )


def _work(task: Task, number: int, pipe: Connection) -> None:
    """Run in the worker: the parent handles Ctrl-C for all, so it is ignored here."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lock = threading.Lock()

    def send(kind: str, content: Any = None) -> None:
        with lock:
            pipe.send((kind, content))

    def take() -> Iterator[Any]:
        while True:
            send(_NEXT)
            if not (given := pipe.recv()):
                return
            yield from given

    try:
        task(number, take(), lambda message: send(_MESSAGE, message))
        send(_DONE)
    except Failure as failure:
        send(_FAILED, str(failure))
    except (EOFError, ConnectionError):
        return  # the parent is gone
    except MemoryError as error:
        send(_FAILED, f"out of memory ({error}). {LESS_MEMORY}")
    except Exception:
        send(_FAILED, traceback.format_exc())
