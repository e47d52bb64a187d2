"""Batches of utterances of equal padded length."""

from collections import defaultdict
from collections.abc import Sequence

from snac_model.shapes.geometry import Geometry


def plan_batches(
    num_samples: Sequence[int], geometry: Geometry, max_samples: int
) -> list[list[int]]:
    """Group utterances of equal padded length, so that nothing in a batch is masked.

    Args:
        num_samples: length of each utterance at the codec's rate.
        max_samples: padded samples in a batch; an utterance longer than that is a batch alone.

    Returns:
        Positions in ``num_samples``, each once, longest utterances first: memory that was enough
        for them is enough for all that follow, which need no more of it.
    """
    by_length: dict[int, list[int]] = defaultdict(list)
    for position, length in enumerate(num_samples):
        by_length[geometry.padded_samples(length)].append(position)
    batches: list[list[int]] = []
    for padded, positions in sorted(by_length.items(), reverse=True):
        size = max(1, max_samples // max(padded, 1))
        batches.extend(positions[i : i + size] for i in range(0, len(positions), size))
    return batches
