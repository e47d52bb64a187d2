"""How much of each codebook is used."""

import torch

from snac_model.codec.snac import SNAC
from snac_train.data.segments import Batch
from snac_train.distributed.processes import Processes


class CodebookUse:
    """Counts the codes of each level."""

    def __init__(self, model: SNAC) -> None:
        size = model.config.codebook_size
        self._counts = [torch.zeros(size, dtype=torch.float64) for _ in model.quantizer.levels]

    def add(self, codes: list[torch.Tensor], batch: Batch) -> None:
        """Count the codes ``[B, tokens]`` of each level, the utterances' own tokens alone."""
        for level, (counts, indices) in enumerate(zip(self._counts, codes, strict=True)):
            per_coarse = indices.shape[1] // codes[0].shape[1]
            position = torch.arange(indices.shape[1], device=indices.device)
            own = position < batch.tokens[:, None] * per_coarse
            found = torch.bincount(indices[own], minlength=len(counts))
            self._counts[level] = counts + found.cpu().double()

    def figures(self, processes: Processes) -> dict[str, float]:
        """Return each level's share of codes in use, and its perplexity: exp of the entropy."""
        figures: dict[str, float] = {}
        for level, counts in enumerate(self._counts):
            total = torch.tensor(processes.total(counts), dtype=torch.float64)
            probability = total / total.sum()
            entropy = -torch.special.xlogy(probability, probability).sum()
            figures[f"codebook_{level}/used"] = float((total > 0).double().mean())
            figures[f"codebook_{level}/perplexity"] = float(entropy.exp())
        return figures
