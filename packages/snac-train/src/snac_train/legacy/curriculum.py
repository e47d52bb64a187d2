"""The curriculum of an earlier configuration: entries with epochs, length and batch multiplier."""

from itertools import accumulate
from typing import Any

from snac_common.errors import BadInput
from snac_train.recipe.curriculum import parse_ranges
from snac_train.recipe.settings import unknown
from snac_train.recipe.tables import Curriculum

KEYS = ("epochs", "length", "batch_multiplier")
COMMENTS = ("comment", "description")
LONGEST_S = 60.0  # what is longer was meant as samples


def without_comments(values: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a JSON object, which has no other place for comments than its keys."""
    return {
        key: value
        for key, value in values.items()
        if key not in COMMENTS and not key.startswith("_")
    }


def read_entries(entries: Any, total: int) -> dict[str, list[Any]]:
    """Return the entries as the recipe's parallel lists, for ``total`` epochs.

    Raises:
        BadInput: if an entry lacks something, has a key that is not known, or is ambiguous.
    """
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadInput("the curriculum is not a list of entries with epochs and length")
    entries = [without_comments(entry) for entry in entries]
    for number, entry in enumerate(entries, start=1):
        for key in entry:
            if key not in KEYS:
                raise BadInput(unknown(f"curriculum entry {number}", "key", key, KEYS))
        if missing := [key for key in ("epochs", "length") if key not in entry]:
            raise BadInput(f"curriculum entry {number} lacks {missing[0]}")
    return {
        "epoch_ranges": _ranges([entry["epochs"] for entry in entries], total),
        "segment_s": [entry["length"] for entry in entries],
        "batch_multiplier": [entry.get("batch_multiplier", 1.0) for entry in entries],
    }


def check_curriculum(curriculum: Curriculum) -> None:
    """Raise BadInput if ranges do not fit the epochs, or a length cannot be one in seconds."""
    parse_ranges(curriculum.epoch_ranges, curriculum.epochs)
    for length in curriculum.segment_s:
        if length > LONGEST_S:
            raise BadInput(f"a segment of {length:g} s: write lengths in seconds, not in samples")


def _ranges(epochs: list[Any], total: int) -> list[str]:
    """Read ``[first, last]``, the number of an epoch, or, in every entry, a count of epochs.

    Numbers and counts cannot be confused: of one and the same list, only one makes ``total``.
    """
    numbers = list(range(1, total + 1))
    if any(type(entry) is not int for entry in epochs) or epochs == numbers:
        return [_range(entry) for entry in epochs]
    if sum(epochs) != total:
        raise BadInput(
            f"the epochs of the curriculum, {epochs}, are neither counts that add up to {total}, "
            "num_epochs, nor the number of each; write them as [first, last]"
        )
    ends = accumulate(epochs)
    return [f"{end - count + 1}-{end}" for count, end in zip(epochs, ends, strict=True)]


def _range(epochs: Any) -> str:
    return "-".join(map(str, epochs)) if isinstance(epochs, list) else str(epochs)
