"""The samples of a report: their files, their cards, and what the blind test asks."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from snac_eval.measuring.samples import Sample, SampleFolder
from snac_eval.models.names import REFERENCE, resampled_name
from snac_eval.report.cards import Card, embedded_cards, linked_cards
from snac_eval.statistics.summary_file import Evaluation

EMBEDDED = 8  # samples in the page itself; half a megabyte each


class Heading(NamedTuple):
    """What stands over a sample's cards."""

    number: int
    utterance_id: str
    why: str
    seconds: float


@dataclass
class Listening:
    """The samples' cards, and what the blind test asks; ``report`` identifies what was measured."""

    report: str
    samples: list[tuple[Heading, list[Card]]] = field(default_factory=list)
    trials: list[dict[str, Any]] = field(default_factory=list)

    def numbers(self) -> dict[str, int]:
        """Return the number of each utterance's sample."""
        return {heading.utterance_id: heading.number for heading, _ in self.samples}


def listen(evaluation: Evaluation, samples: Iterable[Sample], page: Path) -> Listening:
    """Write the samples' files; embed the first ones, and link to the rest."""
    weights = [model.weights_sha256 for model in evaluation.models]
    measured = json.dumps([weights, evaluation.seed, evaluation.segment_s])
    listening, folder = Listening(_id(measured)), SampleFolder(page.parent)
    for position, sample in enumerate(samples, start=1):
        names = folder.add(sample)
        if position <= EMBEDDED:
            cards = embedded_cards(position, sample, evaluation.base)
        else:
            cards = linked_cards(position, sample, names, page, evaluation.base)
        heading = Heading(position, sample.utterance_id, sample.why, sample.seconds)
        listening.samples.append((heading, cards))
        listening.trials += trials(sample.utterance_id, cards, evaluation.base, measured)
    folder.close()
    return listening


def trials(utterance_id: str, cards: list[Card], base: str, measured: str) -> list[dict[str, Any]]:
    """Return what the blind test compares: each model with the base, at its highest rate.

    A trial's id is the same in every report on the same sounds; ``measured`` says which these are.
    """
    base_names = {base, resampled_name(base)}
    bases = {card.rate: card for card in cards if card.model in base_names}
    models = {card.model: card for card in cards if card.model not in {*base_names, REFERENCE}}
    reference = next(card for card in cards if card.is_reference)
    return [
        {
            "trial": _id(measured, utterance_id, card.model, str(card.rate)),
            "utterance_id": utterance_id,
            "rate": card.rate,
            "model": card.model,
            "against": bases[card.rate].model,
            "sounds": [card.id, bases[card.rate].id],
            "reference": reference.id,
        }
        for card in models.values()
        if card.rate in bases
    ]


def _id(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
