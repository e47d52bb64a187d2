"""Steps that a device is asked for before the figures of the one before them are read."""

import signal
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from snac_common.errors import Failure
from snac_train.data.segments import Reject
from snac_train.distributed.processes import Processes
from snac_train.distributed.signals import STOPS, Requests
from snac_train.run.checkpoints.saving import Saver
from snac_train.run.rejects import Rejects
from snac_train.run.tracker import Tracker
from snac_train.session.share import Share
from snac_train.training.stage import Stage
from snac_train.training.step import PendingStep, Step

# how many, so that the device need not wait for this process
STEPS_AHEAD = {"cpu": 0, "cuda": 1}


class StepsAhead:
    """Takes steps, and does what is asked for between them: save, stop, leave out.

    Args:
        save: writes a checkpoint of what is now.

    Attributes:
        skipped: steps of the whole run that were left out, for they were not finite.
    """

    def __init__(
        self,
        processes: Processes,
        requests: Requests,
        saver: Saver,
        tracker: Tracker,
        rejects: Rejects,
        *,
        log: Callable[[str], None],
        save: Callable[[], None],
    ) -> None:
        self.processes = processes
        self.requests = requests
        self.saver = saver
        self.tracker = tracker
        self.rejects = rejects
        self.log = log
        self.save = save
        self.skipped = 0

    def take(self, stage: Stage, shares: Iterable[Share], advance: Callable[..., object]) -> None:
        """Take a step of each share of a batch.

        Raises:
            Failure: if a step went wrong, or too much could not be read.
            KeyboardInterrupt, Terminated: if a signal asked to stop; a checkpoint is written then.
        """
        self.stage = stage
        ahead = STEPS_AHEAD[self.processes.device.type]
        asked: deque[Asked] = deque()
        for share in shares:
            asked.append(self._ask(share, self.tracker.position.step + len(asked) + 1))
            exactly = self.saver.is_due_after(asked[-1].number)
            self._settle(asked, advance, ahead=0 if exactly else ahead)
        self._settle(asked, advance, ahead=0)

    def _ask(self, share: Share, number: int) -> "Asked":
        """Ask the device for one step, and the other processes for what they wish beside it."""
        batches = [batch.to(self.processes.device) for batch in share.batches]
        wishes = [
            self.requests.stop == signal.SIGINT,
            self.requests.stop not in (0, signal.SIGINT),
            self.saver.is_due(),
            len(share.rejects),
        ]
        pending = self.stage.step(
            batches,
            share.counted,
            share.samples,
            list(map(int, wishes)),
            cannot=share.failure is not None,
        )
        return Asked(number, pending, share.rejects, share.failure)

    def _settle(self, asked: "deque[Asked]", advance: Callable[..., object], *, ahead: int) -> None:
        """Read what came of all steps but the last ``ahead``; of those too, if a wish is to be met.

        Raises:
            Failure: if a step went wrong, or too much could not be read.
            KeyboardInterrupt, Terminated: if a signal asked to stop.
        """
        wishes = self._own_wishes() if self.processes.world_size == 1 else Wishes()
        while len(asked) > (0 if wishes else ahead):
            step = self._account_for(asked.popleft(), wishes)
            advance(1, loss=f"{step.sums['loss'] / step.samples:.4f}")
        if wishes or (not asked and self.saver.is_due_after(self.tracker.position.step)):
            self.save()
        if wishes.failure:
            raise wishes.failure
        if wishes.stop:
            raise STOPS[wishes.stop]

    def _own_wishes(self) -> "Wishes":
        return Wishes(stop=self.requests.stop, save=self.saver.is_due())

    def _account_for(self, asked: "Asked", wishes: "Wishes") -> Step:
        """Count a step, and add what it asks for to the wishes."""
        step = asked.step.read()
        if step.halted:
            self._halt(asked)
        self.tracker.add_step(step)
        if step.skipped:
            self.skipped += 1
            named = ", ".join(self.stage.to_blame(asked.step))
            self.log(f"step {asked.number} is skipped: not finite for {named}")
        interrupts, terminations, saves, rejected = step.wishes
        wishes.stop = (
            wishes.stop or (interrupts and signal.SIGINT) or (terminations and signal.SIGTERM)
        )
        wishes.save = wishes.save or saves > 0
        if rejected:
            try:
                everybodys = self.processes.gather(asked.rejects)
                self.rejects.add_training(everybodys, step=asked.number)
            except Failure as failure:
                wishes.failure = failure
        return step

    def _halt(self, asked: "Asked") -> None:
        """Save what was before a step that has changed nothing, and stop."""
        self.save()
        self.processes.fail_together(asked.failure)
        named = ", ".join(self.stage.to_blame(asked.step))
        raise Failure(
            f"the loss or its gradient is not finite in step {asked.number}, for {named}; no "
            "weight was changed by it. Look at these files, lower the learning rate, or go on with "
            f"--resume --skip-non-finite {self.skipped + 1}."
        )


@dataclass(frozen=True)
class Asked:
    """A step that the device was asked for, and what this rank could not read for it."""

    number: int
    step: PendingStep
    rejects: list[Reject]
    failure: Failure | None


@dataclass
class Wishes:
    """What is to be done when every step that was asked for has been counted."""

    stop: int = 0
    save: bool = False
    failure: Failure | None = None

    def __bool__(self) -> bool:
        return bool(self.stop or self.save or self.failure)
