"""Which engine makes 48 kHz audio, as the command was asked; free of torch."""

from dataclasses import dataclass

SIDON, RESAMPLE = "sidon", "resample"
ENGINES = (SIDON, RESAMPLE)
DEFAULT_PREPROCESSOR = "facebook/w2v-bert-2.0"


@dataclass(frozen=True)
class EngineChoice:
    """What the command was asked for.

    Attributes:
        name: one of ``ENGINES``.
        feature_extractor: file of Sidon's first half; None takes the Hub's.
        decoder: file of its second half; None takes the Hub's.
        preprocessor: Hub id or folder of the SeamlessM4T feature extractor.
        batch_seconds: audio in a batch of Sidon; None is 240 on a GPU, one utterance on a CPU.
    """

    name: str
    feature_extractor: str | None = None
    decoder: str | None = None
    preprocessor: str = DEFAULT_PREPROCESSOR
    batch_seconds: float | None = None
