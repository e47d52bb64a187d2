"""Batches on the training device, read ahead by worker processes."""

import signal
from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, Dataset

from snac_model.errors import Failure
from snac_train.dataset import SegmentDataset
from snac_train.segments import Batch


def load_batches(
    dataset: SegmentDataset, batches: list[list[int]], workers: int, device: torch.device
) -> Iterator[Batch]:
    """Yield the batches on ``device``, read ahead by ``workers`` processes."""
    loader: DataLoader = DataLoader(
        _FailuresReturned(dataset, batches),
        batch_size=None,
        num_workers=workers,
        worker_init_fn=_leave_signals_to_parent,
    )
    for batch in loader:
        if isinstance(batch, Failure):
            raise batch
        yield batch.to(device)


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
