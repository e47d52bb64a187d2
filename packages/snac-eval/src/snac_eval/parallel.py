"""Work on many items in several processes, its results in the order of the items."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from snac_common.errors import Failure

AHEAD = 4  # items under way for each worker

Result = TypeVar("Result")

_works: list[Callable[[int], Any]] = []  # in a worker: its work


def in_order(
    make_work: Callable[[str], Callable[[int], Result]], items: Iterable[int], devices: list[str]
) -> Iterator[Result]:
    """Yield the result of the work on each item.

    Args:
        make_work: called once in each process, with its device; returns the work on one item.
        items: what to work on.
        devices: of the processes, one each.

    Raises:
        Failure: if a worker dies; whatever the work raises.
    """
    context = multiprocessing.get_context("spawn")
    places = context.Queue()
    for device in devices:
        places.put(device)
    pool = ProcessPoolExecutor(len(devices), context, _begin, (make_work, places))
    try:
        yield from _results(pool, items, AHEAD * len(devices))
    except BrokenProcessPool as error:
        raise Failure("a worker died (killed, or out of memory?); nothing was written") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _results(pool: ProcessPoolExecutor, items: Iterable[int], ahead: int) -> Iterator[Any]:
    """Yield results in order, with no more than ``ahead`` of them waiting."""
    under_way: deque[Future[Any]] = deque()
    for item in items:
        under_way.append(pool.submit(_do, item))
        if len(under_way) >= ahead:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


def _begin(make_work: Callable[[str], Callable[[int], Any]], places: Any) -> None:
    """Get a worker ready; the parent handles Ctrl-C for all."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _works.append(make_work(places.get()))


def _do(item: int) -> Any:
    return _works[0](item)
