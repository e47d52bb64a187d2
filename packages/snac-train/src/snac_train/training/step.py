"""What came of a step, read from the device when the next one has been asked of it."""

from dataclasses import dataclass

from snac_train.training.metrics import Blame, OnItsWay


@dataclass(frozen=True)
class Step:
    """What came of a step over the whole batch, every process's share of it.

    Attributes:
        sums: of each loss over the batch's items.
        samples: items in the batch.
        figures: the norm of each player's gradient, each group's learning rate, and others.
        wishes: what the processes asked for beside it, each summed over them.
        skipped: whether no weight was changed, as a loss or the gradient was not finite.
        halted: whether that was once too often, or a process could not read its share: neither
            this step nor a later one has changed anything.
    """

    sums: dict[str, float]
    samples: int
    figures: dict[str, float]
    wishes: list[int]
    skipped: bool = False
    halted: bool = False


@dataclass(frozen=True)
class PendingStep:
    """A step that was asked of the device; its figures may be read when the next one has been.

    Attributes:
        figures: names of the first numbers of the vector; two flags follow them.
        names: of the losses, whose sums come next; wishes are the last.
    """

    figures: list[str]
    names: list[str]
    vector: OnItsWay
    rates: dict[str, float]
    samples: int
    blame: Blame

    def read(self) -> Step:
        """Wait for the step and return what came of it."""
        read = self.vector.read()
        figures, after = read[: len(self.figures)], read[len(self.figures) :]
        skipped, halted, *values = after
        return Step(
            dict(zip(self.names, values, strict=False)),
            self.samples,
            {**dict(zip(self.figures, figures, strict=True)), **self.rates},
            [round(value) for value in values[len(self.names) :]],
            skipped=bool(skipped),
            halted=bool(halted),
        )
