"""What makes 48 kHz audio: plain resampling, or Sidon."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from snac_cache.schema import TARGET_RATE
from snac_model.audio import resample

# Takes audio ``[T]`` and its sample rate; returns ``[T']`` at 48 kHz on the CPU.
Engine = Callable[[torch.Tensor, int], torch.Tensor]

DEFAULT_PREPROCESSOR = "facebook/w2v-bert-2.0"


@dataclass(frozen=True)
class EngineChoice:
    """What the command was asked for.

    Attributes:
        name: ``sidon`` or ``resample``.
        device: ``cpu`` or ``cuda``.
        feature_extractor: file of Sidon's first half; None takes the Hub's.
        decoder: file of its second half; None takes the Hub's.
        preprocessor: Hub id or folder of the SeamlessM4T feature extractor.
    """

    name: str
    device: str
    feature_extractor: str | None = None
    decoder: str | None = None
    preprocessor: str = DEFAULT_PREPROCESSOR


def load_engine(choice: EngineChoice) -> Engine:
    """Load the engine that was asked for, never another one.

    Raises:
        Failure: if it cannot be had; says why, and what can be done.
    """
    if choice.name == "resample":
        return resample_engine
    from snac_cache.targets.sidon_files import load_sidon

    return load_sidon(choice)


def resample_engine(audio: torch.Tensor, sample_rate: int) -> torch.Tensor:
    """Resample to 48 kHz; adds nothing above the source's band."""
    return resample(audio, sample_rate, TARGET_RATE)
