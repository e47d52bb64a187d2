"""What a run must beat: what there is without training.

At a rate that the starting model has, that is the starting model. A new 48 kHz head is compared
with the starting model's 24 kHz output, resampled: nobody would use the head untrained.
"""

from collections.abc import Iterator, Mapping

from snac_train.run.best_models import SCORES

RESAMPLED = "resampled/"
NEW_HEAD = f"{RESAMPLED}48k/loss"

Losses = Mapping[str, float]


def to_beat(start: Losses, weight_48k: float) -> dict[str, float]:
    """Return the losses that a run must beat.

    Args:
        start: the starting model's, and as ``resampled/...`` those of its output resampled, where
            it has no 48 kHz head of its own.
        weight_48k: of the 48 kHz loss in ``loss``.
    """
    beaten = {name: value for name, value in start.items() if not name.startswith(RESAMPLED)}
    if NEW_HEAD in start:
        beaten["loss"] += weight_48k * (start[NEW_HEAD] - start["48k/loss"])
        beaten["48k/loss"] = start[NEW_HEAD]
    return beaten


def improvement(before: float, after: float) -> float:
    """Return by how many percent a loss has fallen."""
    return round(100 * (1 - after / before), 2)


def improvements(best: Losses, beaten: Losses) -> dict[str, float]:
    """Return by how many percent each best score is lower than what it must beat."""
    return {
        name: improvement(beaten[SCORES[name]], score)
        for name, score in best.items()
        if beaten.get(SCORES[name])
    }


def warnings_of(percent: Losses, best: Losses, start: Losses, weight_48k: float) -> Iterator[str]:
    """Say of each best score that is above what it must beat that the run made it worse."""
    beaten = to_beat(start, weight_48k)
    for name in sorted(percent):
        if percent[name] < 0:
            yield (
                f"the best {SCORES[name]} is {-percent[name]:.1f} % higher than "
                f"{_beaten_in_words(name, start)} ({best[name]:.4f} against "
                f"{beaten[SCORES[name]]:.4f}): worse than no training. Train for more steps, on "
                "more speech, or with another learning rate."
            )


def _beaten_in_words(name: str, start: Losses) -> str:
    if NEW_HEAD not in start or name == "24k":
        return "the starting model's"
    if name == "48k":
        return "that of the starting model's 24 kHz output resampled"
    return "the starting model's with its 24 kHz output resampled"
