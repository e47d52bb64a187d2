"""Batches, read ahead by worker processes."""

import signal
from collections.abc import Iterator

from torch.utils.data import DataLoader, Dataset

from snac_common.errors import Failure
from snac_train.data.dataset import SegmentDataset
from snac_train.data.segments import Batch


def load_batches(
    dataset: SegmentDataset, batches: list[list[int]], workers: int, *, pin: bool = False
) -> Iterator[Batch | Failure]:
    """Yield the batches, or what went wrong with one, read ahead by ``workers`` processes.

    Args:
        pin: leave them in memory that a GPU can fetch by itself.
    """
    loader: DataLoader = DataLoader(
        _FailuresReturned(dataset, batches),
        batch_size=None,
        num_workers=workers,
        pin_memory=pin,
        worker_init_fn=_leave_signals_to_parent,
    )
    return iter(loader)


class _FailuresReturned(Dataset):
    """Whole batches by number; a failure is returned, as raising it would wrap it in a traceback.

    A worker process can only raise an error as text of a traceback, which is not for people.
    """

    def __init__(self, dataset: SegmentDataset, batches: list[list[int]]) -> None:
        self.dataset = dataset
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> Batch | Failure:
        try:
            return self.dataset.batch(self.batches[number])
        except Failure as failure:
            return failure


def _leave_signals_to_parent(worker: int) -> None:
    """Let an interrupt reach the main process alone, which ends the workers in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
