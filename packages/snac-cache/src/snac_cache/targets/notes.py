"""What a target says of itself, in the comment of its file; free of torch."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Self

NOTES, DIGEST = "snac_target", "blake2b"


@dataclass(frozen=True)
class TargetNotes:
    """What was measured of a target before it was corrected.

    Attributes:
        engine: what made it.
        audio_fingerprint: of the source that it was made from.
        bandwidth_hz: of that source.
        lag_samples: that it was late, at 48 kHz.
        gain_db: that it was too loud.
        clipped_samples: that lay beyond full scale once its gain was right, and were cut there.
    """

    engine: str
    audio_fingerprint: str
    bandwidth_hz: float
    lag_samples: int
    gain_db: float
    clipped_samples: int

    def to_comment(self) -> str:
        """Return the comment, with a digest: nothing else in a FLAC file protects it."""
        said = asdict(self)
        return json.dumps({NOTES: said, DIGEST: _digest(said)})

    @classmethod
    def from_comment(cls, comment: str) -> Self:
        """Read a comment; raises ValueError if it holds no notes, or damaged ones."""
        try:
            content = json.loads(comment)
            said, digest = content[NOTES], content[DIGEST]
            notes = cls(**said)
        except (KeyError, TypeError) as error:
            raise ValueError(f"it holds no notes: {error!r}") from error
        if digest != _digest(said):
            raise ValueError("its notes are damaged")
        return notes


# Any of these in the head of a file shows that it is a target, whichever bit of it is damaged.
MARKS = (NOTES.encode(), b"audio_fingerprint", b"clipped_samples")


def _digest(said: dict[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=8).hexdigest()
