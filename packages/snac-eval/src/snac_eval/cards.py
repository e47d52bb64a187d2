"""Versions of an utterance as the page shows them: embedded, or in files beside it."""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from snac_common.files import write_text
from snac_eval.figures import spectrogram_figure, themed
from snac_eval.names import REFERENCE
from snac_eval.samples import Sample, Signal
from snac_eval.spectrogram import spectrogram_db


@dataclass(frozen=True)
class Card:
    """One version of an utterance: how it looks and sounds.

    ``drawing`` is an SVG or an image element; ``audio`` is what a player's ``src`` takes.
    """

    id: str
    model: str
    rate: int
    loss: float | None
    is_reference: bool
    drawing: Markup
    audio: str


def embedded_cards(number: int, sample: Sample) -> list[Card]:
    """Make cards that hold their drawings and sounds themselves; FLAC, which browsers play."""
    return [
        _card(number, place, signal, themed(drawing), _data_uri(signal))
        for place, (signal, drawing) in enumerate(_drawn(sample))
    ]


def linked_cards(number: int, sample: Sample, files: list[str], page: Path) -> list[Card]:
    """Make cards of files in ``audio/`` and ``plots/`` beside the page; the plots are written."""
    cards = []
    for place, (signal, drawing) in enumerate(_drawn(sample)):
        plot = Path("plots", files[place]).with_suffix(".svg")
        write_text(page.parent / plot, drawing)
        image = Markup('<img src="{}" alt="spectrogram" loading="lazy">').format(plot)
        cards.append(_card(number, place, signal, image, f"audio/{files[place]}"))
    return cards


def trials(
    sample: Sample, cards: list[Card], base_names: set[str], measured: str
) -> list[dict[str, Any]]:
    """Return what the blind test compares: each model with the base, at its highest rate.

    A trial's id is the same in every report on the same sounds; ``measured`` says which these are.
    """
    bases = {card.rate: card for card in cards if card.model in base_names}
    models = {card.model: card for card in cards if card.model not in {*base_names, REFERENCE}}
    reference = next(card for card in cards if card.is_reference)
    return [
        {
            "trial": _trial_id(measured, sample.utterance_id, card.model, str(card.rate)),
            "utterance_id": sample.utterance_id,
            "rate": card.rate,
            "model": card.model,
            "against": bases[card.rate].model,
            "sounds": [card.id, bases[card.rate].id],
            "reference": reference.id,
        }
        for card in models.values()
        if card.rate in bases
    ]


def _trial_id(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _drawn(sample: Sample) -> list[tuple[Signal, str]]:
    """Draw all versions on one scale."""
    levels = [spectrogram_db(signal) for signal in sample.signals]
    top_rate = max(signal.rate for signal in sample.signals)
    loudest = float(levels[0].max())
    return [
        (signal, spectrogram_figure(drawn, sample.seconds, signal.rate, top_rate, loudest))
        for signal, drawn in zip(sample.signals, levels, strict=True)
    ]


def _card(number: int, place: int, signal: Signal, drawing: Markup, audio: str) -> Card:
    return Card(
        id=f"sound-{number}-{place}",
        model=signal.model,
        rate=signal.rate,
        loss=signal.loss,
        is_reference=signal.model == REFERENCE,
        drawing=drawing,
        audio=audio,
    )


def _data_uri(signal: Signal) -> str:
    return "data:audio/flac;base64," + base64.b64encode(signal.encoded("FLAC")).decode()
