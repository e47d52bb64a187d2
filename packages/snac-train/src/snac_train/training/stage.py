"""A stage of a run: the players that it trains, and one step of theirs."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch

from snac_model.codec.snac import SNAC
from snac_model.discriminators import Discriminators
from snac_train.data.segments import Batch
from snac_train.distributed.processes import Processes
from snac_train.recipe.curriculum import StageName
from snac_train.recipe.tables import Recipe
from snac_train.training.adversary import Heard
from snac_train.training.arithmetic import tf32
from snac_train.training.average import MovingAverage
from snac_train.training.gradient_shares import gradient_shares
from snac_train.training.metrics import Blame, LossSums, OnItsWay
from snac_train.training.objective import Losses
from snac_train.training.player import DECODER, DISCRIMINATORS, Player
from snac_train.training.players import make_players
from snac_train.training.step import PendingStep
from snac_train.training.trained import Trained, discriminators_loss, minimised


class Stage:
    """Trains the parameter groups of a stage of ``steps`` steps.

    Args:
        discriminators: of the run, which the decoder meets in the main stage.
        teacher: of the run, which the decoder imitates in warm-up.
        average: follows the decoder's weights.
        done: steps of the stage that an earlier process has taken.
        state: of each player by name, if any steps were taken.
        may_skip: steps that are not finite that may be left out before the stage halts.

    Raises:
        Failure: if that is the state of another stage's players.
    """

    def __init__(
        self,
        name: StageName,
        steps: int,
        model: SNAC,
        recipe: Recipe,
        processes: Processes,
        *,
        discriminators: Discriminators | None = None,
        teacher: SNAC | None = None,
        average: MovingAverage | None = None,
        done: int = 0,
        state: Mapping[str, Mapping[str, Any]] | None = None,
        may_skip: int = 0,
    ) -> None:
        self.name = name
        self.steps = steps
        self.taken = done
        self.processes = processes
        self.average = average
        self.shares_every = recipe.tracking.log_every
        self.trained = Trained.of(name, model, recipe, discriminators, teacher)
        self.players = make_players(self.trained, name, steps, recipe, processes)
        for player in self.players.values():
            player.go_on((state or {}).get(player.name), done)
        self._may_skip = may_skip
        self._skipped = torch.zeros((), device=processes.device)
        self._halted = torch.zeros((), device=processes.device)

    @property
    def decoder(self) -> Player:
        """The player that is always there."""
        return self.players[DECODER]

    def state(self) -> dict[str, dict[str, Any]]:
        """Return what a checkpoint keeps of each player."""
        return {name: player.state() for name, player in self.players.items()}

    def step(
        self,
        batches: Sequence[Batch],
        counted: bool,
        samples: int,
        wishes: Sequence[int] = (),
        *,
        cannot: bool = False,
    ) -> PendingStep:
        """Take one step on this process's share of a batch of ``samples`` items.

        The decoder's turn comes first; what it has decoded is what the discriminators learn from in
        theirs. Either both are changed or neither is. Nothing here waits for the device.

        Args:
            batches: the micro-batches of the share.
            counted: whether their losses count.
            wishes: numbers that come back summed over the processes.
            cannot: whether this process has no share, so that the stage must halt.
        """
        moving = [player for player in self.players.values() if player.moves_in(self.taken)]
        self.taken += 1
        weight = counted * self.processes.world_size / samples
        with tf32(self.trained.allows_tf32):
            totals, blame, heard = self._decoders_turn(batches, counted, weight, moving)
            sums = [totals]
            if self.players.get(DISCRIMINATORS) in moving:
                sums.append(self._discriminators_turn(heard, counted, weight))
            shares = self._shares(heard, moving)
        norms = {player.norm_name: player.clip() for player in moving}
        names = [name for each in sums for name in each.names]
        extra = torch.tensor([*wishes, int(cannot)], dtype=torch.float64)
        own = torch.cat(
            [
                *(share.double()[None] / self.processes.world_size for share in shares.values()),
                *(each.values() for each in sums),
                extra.to(self.processes.device, non_blocking=True),
            ]
        )
        summed = self.processes.summed(own)
        losses = summed[len(shares) : len(shares) + len(names)]
        flags = self._flags(losses, torch.stack(list(norms.values())), summed[-1])
        rates = {name: rate for player in moving for name, rate in player.rates().items()}
        self._update(moving, flags.max())
        figures = [*(norm.double() for norm in norms.values()), *summed[: len(shares)]]
        vector = torch.cat([torch.stack([*figures, *flags.double()]), summed[len(shares) : -1]])
        return PendingStep([*norms, *shares], names, OnItsWay(vector), rates, samples, blame)

    def _flags(self, sums: torch.Tensor, norms: torch.Tensor, cannot: torch.Tensor) -> torch.Tensor:
        """Say whether the step is skipped and whether the stage has halted: float32 ``[2]``."""
        skipped = 1 - (sums.isfinite().all() & norms.isfinite().all()).float()
        self._skipped = self._skipped + skipped
        over = (self._skipped > self._may_skip) | (cannot > 0)
        self._halted = torch.maximum(self._halted, over.float())
        return torch.stack([skipped, self._halted])

    def _update(self, moving: Sequence[Player], left_out: torch.Tensor) -> None:
        for player in moving:
            player.update(left_out=left_out)
        if self.average and self.decoder in moving:
            self.average.follow(left_out)

    def _decoders_turn(
        self, batches: Sequence[Batch], counted: bool, weight: float, moving: Sequence[Player]
    ) -> tuple[LossSums, Blame, list[dict[str, Heard]]]:
        """Decode and compare every micro-batch; add up gradients if the decoder moves."""
        totals, blame = LossSums(self.processes.device), Blame()
        heard = []
        for number, batch in enumerate(batches, start=1):
            if self.decoder in moving:
                last = number == len(batches)
                losses = self._backward(self.decoder, batch, weight, last=last)
            else:
                with torch.no_grad():
                    losses = self.trained.objective(batch)
            totals.add(losses, counted=counted)
            blame.add(losses, batch)
            if self.trained.opponent:
                heard.append(self.trained.opponent.take())
        return totals, blame, heard

    def _discriminators_turn(
        self, heard: Sequence[dict[str, Heard]], counted: bool, weight: float
    ) -> LossSums:
        """Have the discriminators judge what every micro-batch has left, and add up gradients."""
        totals = LossSums(self.processes.device)
        for number, pairs in enumerate(heard, start=1):
            player, last = self.players[DISCRIMINATORS], number == len(heard)
            totals.add(self._backward(player, pairs, weight, last=last), counted=counted)
        return totals

    def _backward(self, player: Player, given: Any, weight: float, *, last: bool) -> Losses:
        """Add a micro-batch's gradient to what the whole batch's mean loss has."""
        accelerator = self.processes.accelerator
        with nullcontext() if last else accelerator.no_sync(player.module):
            losses: Losses = player.module(given)
            of_items = minimised(losses) if player is self.decoder else discriminators_loss(losses)
            (of_items.sum() * weight).backward()
        return losses

    def _shares(self, heard: Sequence[dict[str, Heard]], moving: Sequence[Player]) -> Losses:
        """Say of the first micro-batch, once a line of the log, what moves the decoder."""
        opponent = self.trained.opponent
        if opponent is None or self.decoder not in moving or self.taken % self.shares_every:
            return {}
        return gradient_shares(self.trained.objective, opponent, heard[0])

    def to_blame(self, step: PendingStep) -> list[str]:
        """Return every process's utterances whose loss is not finite; all, if only the gradient."""
        own = self.processes.gather(step.blame.not_finite())
        return sorted({*own} or {*self.processes.gather(step.blame.everybody())})
