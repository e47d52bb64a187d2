"""Batches, read ahead by worker processes that stay from epoch to epoch."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from snac_common.errors import Failure
from snac_common.held_signals import signals_held_back
from snac_train.data.dataset import SegmentDataset
from snac_train.data.reading import BatchRequest, Segments, SegmentSource
from snac_train.data.segments import Batch
from snac_train.distributed.signals import HANDLED


class Readers:
    """Reads batches of any segments of a source, one after another.

    The workers are forked from a server that holds neither threads nor a GPU, which those of a
    fork of the trainer would share ("NCCL is not fork safe").

    Args:
        workers: processes that read ahead; 0 reads in this one.
        pin: leave batches in memory that a GPU can fetch by itself.
    """

    def __init__(self, source: SegmentSource, workers: int, *, pin: bool = False) -> None:
        self.source = source
        self._requests = _Requests()
        if workers:
            prepare_server()
        watched, self._alive = multiprocessing.Pipe(duplex=False)
        self._loader: DataLoader = DataLoader(
            _Reading(source, watched),
            batch_size=None,
            sampler=self._requests,
            num_workers=workers,
            pin_memory=pin,
            collate_fn=_as_it_is,
            worker_init_fn=_begin_worker,
            multiprocessing_context=multiprocessing.get_context("forkserver") if workers else None,
            persistent_workers=workers > 0,
            generator=torch.Generator(),  # or it draws a seed from everybody's, which then moves on
        )

    def read(self, segments: Segments, batches: Sequence[np.ndarray]) -> Iterator[Batch | Failure]:
        """Yield the batches of positions, or what went wrong with one.

        What an earlier call has not been asked for yet is forgotten.
        """
        self._requests.current = [BatchRequest(segments, positions) for positions in batches]
        return self._held_for(iter(self._loader))

    def _held_for(self, batches: Iterator[Batch | Failure]) -> Iterator[Batch | Failure]:
        """Keep the workers while somebody takes batches: they end when these readers are gone."""
        yield from batches

    def close(self) -> None:
        """End the workers; they ignore what would end them otherwise."""
        iterator = self._loader._iterator
        if iterator is None:
            return
        iterator._shutdown_workers()  # type: ignore[attr-defined]
        for worker in iterator._workers:  # type: ignore[attr-defined]
            worker.kill()
        self._loader._iterator = None
        self._alive.close()


def prepare_server() -> None:
    """Start the server that workers are forked from, which a signal to the group must not end."""
    with signals_held_back(HANDLED):
        forkserver.set_forkserver_preload([__name__])
        forkserver.ensure_running()


class _Requests(Sampler):
    """The batches to read, in order."""

    def __init__(self) -> None:
        self.current: list[BatchRequest] = []

    def __iter__(self) -> Iterator[BatchRequest]:
        return iter(self.current)

    def __len__(self) -> int:
        return len(self.current)


class _Reading(Dataset):
    """Batches by request; a failure is returned, as raising it would wrap it in a traceback.

    A worker process can only raise an error as text of a traceback, which is not for people.

    Args:
        watched: a pipe that ends when the trainer does, whatever ends it.
    """

    def __init__(self, source: SegmentSource, watched: Connection) -> None:
        self.source = source
        self.watched = watched
        self._segments: Segments | None = None
        self._dataset: SegmentDataset | None = None

    def __getitem__(self, request: BatchRequest) -> Batch | Failure:
        if self._dataset is None or request.segments != self._segments:
            self._segments = request.segments
            self._dataset = self.source.dataset(request.segments)
        try:
            return self._dataset.batch(request.positions)
        except Failure as failure:
            return Failure(str(failure))


def _as_it_is(batch: Any) -> Any:
    return batch


def _begin_worker(worker: int) -> None:
    """Let signals reach the main process alone, which ends the workers in order.

    A batch system signals all processes of a job; training saves then, and reads on until it has.
    But a worker ends when the main process is gone.
    """
    for number in HANDLED:
        signal.signal(number, signal.SIG_IGN)
    info = get_worker_info()
    assert info is not None
    assert isinstance(info.dataset, _Reading)
    threading.Thread(target=_end_with, args=[info.dataset.watched], daemon=True).start()


def _end_with(watched: Connection) -> None:
    """End this process when the other end of a pipe is gone; torch only watches the server."""
    watched.poll(None)
    os._exit(1)
