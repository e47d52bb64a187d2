"""Versions of an utterance as the page shows them: embedded, or in files beside it."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from snac_common.files import atomic_path
from snac_eval.measuring.samples import Sample, Signal
from snac_eval.models.names import REFERENCE, kilohertz, shown_name
from snac_eval.report.spectrogram import spectrogram_db, spectrogram_image


@dataclass(frozen=True)
class Card:
    """One version of an utterance: how it looks and sounds.

    Attributes:
        model: its name in the results; ``shown`` is how the page calls it.
        image: what an image's ``src`` takes, ``alt`` says what it shows.
        audio: what a player's ``src`` takes.
    """

    id: str
    model: str
    shown: str
    rate: int
    loss: float | None
    is_reference: bool
    image: str
    alt: str
    audio: str


def embedded_cards(number: int, sample: Sample, base: str) -> list[Card]:
    """Make cards that hold their pictures and sounds themselves; FLAC, which browsers play."""
    return [
        _card(
            f"sound-{number}-{place}",
            signal,
            base,
            _data_uri("image/webp", image),
            _data_uri("audio/flac", signal.encoded("FLAC")),
        )
        for place, (signal, image) in enumerate(_drawn(sample))
    ]


def linked_cards(
    number: int, sample: Sample, files: Sequence[str], page: Path, base: str
) -> list[Card]:
    """Make cards of files in ``audio/`` and ``plots/`` beside the page; the plots are written."""
    cards = []
    for place, (signal, image) in enumerate(_drawn(sample)):
        plot = Path("plots", files[place]).with_suffix(".webp")
        with atomic_path(page.parent / plot) as temporary:
            temporary.write_bytes(image)
        sound = f"sound-{number}-{place}"
        cards.append(_card(sound, signal, base, str(plot), f"audio/{files[place]}"))
    return cards


def _drawn(sample: Sample) -> Iterator[tuple[Signal, bytes]]:
    """Draw all versions on one scale."""
    levels = [spectrogram_db(signal) for signal in sample.signals]
    top_rate = max(signal.rate for signal in sample.signals)
    loudest = float(levels[0].max())
    for signal, drawn in zip(sample.signals, levels, strict=True):
        yield signal, spectrogram_image(drawn, signal.rate, top_rate, loudest)


def _card(sound: str, signal: Signal, base: str, image: str, audio: str) -> Card:
    shown = shown_name(signal.model, base)
    return Card(
        id=sound,
        model=signal.model,
        shown=shown,
        rate=signal.rate,
        loss=signal.loss,
        is_reference=signal.model == REFERENCE,
        image=image,
        alt=f"Spectrogram of the {kilohertz(signal.rate)} audio of {shown}",
        audio=audio,
    )


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
