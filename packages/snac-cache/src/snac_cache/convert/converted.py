"""How much a conversion has done."""

from dataclasses import dataclass


@dataclass
class Converted:
    """What one command did, in either direction."""

    utterances: int = 0
    audio_seconds: float = 0.0
