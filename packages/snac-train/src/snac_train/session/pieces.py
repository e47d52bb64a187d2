"""In how many pieces each rank takes its share of a batch, so that it fits into memory."""

from collections.abc import Callable, Mapping, Sequence

import torch

from snac_common.errors import Failure
from snac_model.audio.memory import is_out_of_memory
from snac_train.data.segments import Batch
from snac_train.distributed.processes import Processes
from snac_train.recipe.curriculum import Epoch
from snac_train.training.step_memory import StepMemory, available_bytes, repeated
from snac_train.training.trained import Trained


class Pieces:
    """Chooses the number of pieces of each kind of epoch, before the first one begins.

    Args:
        asked: the recipe's ``optimizer.accumulate``; 0 to choose.
        silence: returns a batch of one silent segment of so many coarse tokens.
        log: is told what was found.
    """

    def __init__(
        self,
        asked: int,
        silence: Callable[[int], Batch],
        *,
        processes: Processes,
        log: Callable[[str], None],
    ) -> None:
        self.asked = asked
        self.silence = silence
        self.processes = processes
        self.log = log
        self._chosen: dict[str, int] = {}

    def state(self) -> dict[str, int]:
        """Return what a checkpoint keeps: sums of other pieces differ in their last bits."""
        return self._chosen

    def restore(self, state: Mapping[str, int]) -> None:
        """Take as many pieces as before, where that is still enough."""
        self._chosen = dict(state)

    def of(self, epoch: Epoch) -> int:
        """Return the number of pieces of an epoch that was chosen for."""
        return self.asked or self._chosen[_kind(epoch)]

    def choose(self, trained: Trained, epochs: Sequence[Epoch]) -> None:
        """Choose for the epochs of a stage.

        Raises:
            Failure: in every process, if in one of them not even one segment fits.
        """
        if not epochs:
            return
        memory = trained.memory(self._on_device)
        device, local = self.processes.device, self.processes.local_world_size
        available = available_bytes(device, local)
        kinds: dict[str, Epoch] = {}
        for epoch in epochs:
            kinds.setdefault(_kind(epoch), epoch)
        for epoch in kinds.values():
            self._choose(trained, epoch, memory, available)

    def _choose(self, trained: Trained, epoch: Epoch, memory: StepMemory, available: int) -> None:
        items = -(-epoch.batch_size // self.processes.world_size)
        needed = memory.pieces(epoch.segment_tokens, items, available)
        failure = None
        if needed is None and not self.asked:
            failure = Failure(
                f"{self._in_words(memory, epoch, 1, available)}, and one segment is the least that "
                "can be taken at once: give shorter ones (--segment-schedule), or more memory"
            )
        self.processes.fail_together(failure)  # each has its own device
        needed = needed or items
        if self.asked:
            if needed > self.asked:
                said = self._in_words(memory, epoch, -(-items // self.asked), available)
                self.log(f"{said}: optimizer.accumulate={needed} would fit")
            return
        needed = self.processes.largest([self._tried(trained, epoch, items, needed)])[0]
        before = self._chosen.get(_kind(epoch))
        self._chosen[_kind(epoch)] = max(needed, before or 1)
        if self._chosen[_kind(epoch)] > 1:
            said = self._in_words(memory, epoch, items, available)
            self.log(f"{said}: each is taken in {self._chosen[_kind(epoch)]} pieces")
        if before and needed > before:
            self.log(f"before, {before} were enough: sums may differ in their last bits")

    def _tried(self, trained: Trained, epoch: Epoch, items: int, pieces: int) -> int:
        """Take the largest piece of a step on a GPU, and more pieces if it does not fit."""
        if not tries(self.processes.device):
            return pieces
        while pieces < items:
            batch = repeated(self._on_device(epoch.segment_tokens), -(-items // pieces))
            try:
                trained.rehearse(batch)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                pieces = min(items, 2 * pieces)
            else:
                break
        return pieces

    def _on_device(self, tokens: int) -> Batch:
        return self.silence(tokens).to(self.processes.device)

    def _in_words(self, memory: StepMemory, epoch: Epoch, items: int, available: int) -> str:
        needed = memory.of(epoch.segment_tokens, items) / 1e9
        kind = f"{items} segments" if items > 1 else "a segment"
        return (
            f"{kind} of {epoch.wished_s:g} s at once (epoch {epoch.number}) need about "
            f"{needed:.1f} GB, and {available / 1e9:.1f} GB are free for this process"
        )


def tries(device: torch.device) -> bool:
    """Say whether steps are rehearsed: on a CPU that takes minutes, and may end the process."""
    return device.type == "cuda"


def _kind(epoch: Epoch) -> str:
    return f"{epoch.stage}, {epoch.segment_tokens} tokens, batches of {epoch.batch_size}"
