"""Codebooks that are used: filled with what their levels see, and codes revived that died.

Straight-through training moves only codes that are chosen. Codes that start elsewhere, or that the
latents have moved away from, would never be chosen again (Dhariwal et al., 2020, "Jukebox").
"""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F

from snac_common.errors import Failure
from snac_model.codec.quantizer import VectorQuantizer
from snac_train.data.segments import Batch
from snac_train.data.slices import Draws, hash64
from snac_train.distributed.processes import Processes
from snac_train.recipe.curriculum import Epoch
from snac_train.recipe.tables import Recipe
from snac_train.training.objective import Objective, own_positions

KMEANS_ROUNDS = 12
VECTORS_AT_ONCE = 8_192

Sample = Callable[[Epoch, Draws], Iterator[Batch | Failure]]


class CodebookKeeper:
    """Fills and revives codebooks before an epoch.

    What it does is a function of the weights, the seed and the epoch alone, so a run that goes on
    from the end of an epoch does it again and comes to the same.

    Args:
        first_epoch: of the main stage.
        sample: segments of every training utterance, as long as the epoch's, by the draws.
    """

    def __init__(
        self,
        recipe: Recipe,
        objective: Objective,
        *,
        first_epoch: int,
        sample: Sample,
        processes: Processes,
        log: Callable[[str], None],
    ) -> None:
        self.settings = recipe.codebooks
        self.seed = recipe.data.seed
        self.objective = objective
        self.first_epoch = first_epoch
        self.sample = sample
        self.processes = processes
        self.log = log

    def before(self, epoch: Epoch) -> None:
        """Do what is due before an epoch begins.

        Raises:
            Failure: if audio cannot be read.
        """
        since = epoch.number - self.first_epoch
        every = self.settings.revive_every
        if since == 0 and self.settings.fill:
            self._change(epoch, fill_codebook)
        elif since > 0 and every and since % every == 0:
            self._change(epoch, revive_codes)

    def _change(self, epoch: Epoch, change: "Change") -> None:
        """Change every level in the main process, and have the others take it over."""
        quantizer = self.objective.model.quantizer
        self.processes.on_main(lambda: self._change_levels(epoch, change))
        if self.processes.world_size > 1:
            state = {name: value.cpu() for name, value in quantizer.state_dict().items()}
            quantizer.load_state_dict(self.processes.from_main(state))

    @torch.no_grad()
    def _change_levels(self, epoch: Epoch, change: "Change") -> None:
        residual = self._latents(epoch)
        for number, level in enumerate(self.objective.model.quantizer.levels):
            generator = torch.Generator().manual_seed(
                hash64("codebook", self.seed, epoch.number, number) % 2**63
            )
            said = change(level, residual, generator)
            self.log(f"epoch {epoch.number}, codebook {number}: {said}")
            residual = residual - level.expand(level.lookup(level.nearest(level.project(residual))))

    def _latents(self, epoch: Epoch) -> torch.Tensor:
        """Encode segments until there are enough: their latents in a row, ``[1, C, frames]``."""
        codebook = self.objective.model.quantizer.levels[0].codebook
        wanted = self.settings.vectors_per_code * codebook.num_embeddings
        found: list[torch.Tensor] = []
        tokens = 0
        for batch in self._batches(epoch):
            latents = self.objective.encoded(batch)
            own = own_positions(batch, latents.shape[-1]).bool()
            found.append(latents.transpose(1, 2)[own])
            tokens += int(batch.tokens.sum())
            if tokens >= wanted:
                break
        return torch.cat(found).T[None]

    def _batches(self, epoch: Epoch) -> Iterator[Batch]:
        number = 0
        while True:
            for batch in self.sample(epoch, Draws.for_codebooks(self.seed, epoch.number, number)):
                if isinstance(batch, Failure):
                    raise batch
                yield batch.to(self.processes.device)
            number += 1


Change = Callable[[VectorQuantizer, torch.Tensor, torch.Generator], str]


def fill_codebook(level: VectorQuantizer, z: torch.Tensor, generator: torch.Generator) -> str:
    """Centre a level's projections of ``z`` ``[1, C, T]``, and fill its codebook with centroids.

    Codes are compared by direction, in which vectors that share an offset hardly differ.
    """
    codebook = level.codebook.weight
    assert level.in_proj.bias is not None
    level.in_proj.bias -= level.project(z).mean((0, 2))
    vectors = level.project(z)[0].T
    codebook.copy_(centroids(vectors, len(codebook), generator))
    used = level.nearest(level.project(z)).unique().numel()
    return f"filled from {len(vectors):,} vectors, which use {used:,} of {len(codebook):,} codes"


def revive_codes(level: VectorQuantizer, z: torch.Tensor, generator: torch.Generator) -> str:
    """Set each code that no vector of ``z`` ``[1, C, T]`` chooses to one of the vectors."""
    codebook = level.codebook.weight
    projected = level.project(z)
    counts = torch.bincount(level.nearest(projected)[0], minlength=len(codebook))
    unused = (counts == 0).nonzero()[:, 0]
    codebook[unused] = _drawn(projected[0].T, len(unused), generator)
    return f"{len(unused):,} of {len(codebook):,} codes were unused and start anew"


def centroids(vectors: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    """Group ``[N, D]`` by direction (spherical k-means): each group's mean, ``[count, D]``."""
    centres = _drawn(vectors, count, generator)
    for _ in range(KMEANS_ROUNDS):
        directions = F.normalize(centres).T
        chunks = vectors.split(VECTORS_AT_ONCE)
        nearest = torch.cat([(F.normalize(chunk) @ directions).argmax(1) for chunk in chunks])
        sums = torch.zeros_like(centres).index_add_(0, nearest, vectors)
        sizes = torch.bincount(nearest, minlength=count)[:, None]
        empty = sizes[:, 0] == 0
        centres = sums / sizes.clamp_min(1)
        centres[empty] = _drawn(vectors, int(empty.sum()), generator)
    return centres


def _drawn(vectors: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    """Draw rows of ``[N, D]``, each at most once as long as there are enough: ``[count, D]``."""
    order = torch.randperm(len(vectors), generator=generator)
    repeated = order.repeat(-(-count // len(order)))[:count] if count else order[:0]
    return vectors[repeated.to(vectors.device)]
