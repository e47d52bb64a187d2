"""Which engine makes 48 kHz audio, as the command was asked; free of torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from snac_common.addresses import address, is_address
from snac_common.artifacts import SPLITS
from snac_common.errors import BadInput

SIDON, RESAMPLE, FILES = "sidon", "resample", "files"
ENGINES = (SIDON, RESAMPLE, FILES)
DEFAULT_PREPROCESSOR = "facebook/w2v-bert-2.0"


@dataclass(frozen=True)
class GivenFolder:
    """A folder of targets that exist already, for the rows of one split or of both."""

    path: Path
    split: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``DIR``, ``train=DIR`` or ``val=DIR``; raises BadInput if it is not there."""
        split, equals, rest = text.partition("=")
        told = bool(equals) and split in SPLITS
        path = Path(rest if told else text)
        if is_address(path):
            raise BadInput(
                f"--from {address(path)}: targets in an object store are named by the manifest, in "
                "its column target_path; or copy the folder to this machine"
            )
        if not path.is_dir():
            raise BadInput(f"--from: there is no folder {path}")
        return cls(path.absolute(), split if told else None)

    def __str__(self) -> str:
        """Return what ``parse`` reads."""
        return f"{self.split}={self.path}" if self.split else str(self.path)


@dataclass(frozen=True)
class EngineChoice:
    """What the command was asked for.

    Attributes:
        name: one of ``ENGINES``.
        feature_extractor: file of Sidon's first half; None takes the Hub's.
        decoder: file of its second half; None takes the Hub's.
        preprocessor: Hub id or folder of the SeamlessM4T feature extractor.
        batch_seconds: audio in a batch of Sidon; None is 240 on a GPU, one utterance on a CPU.
        folders: of the files that ``files`` takes; none for those that the manifest names.
        correct: whether lag and gain of such a file are corrected, and not a reason to reject it.
    """

    name: str
    feature_extractor: str | None = None
    decoder: str | None = None
    preprocessor: str = DEFAULT_PREPROCESSOR
    batch_seconds: float | None = None
    folders: tuple[GivenFolder, ...] = ()
    correct: bool = False

    def of_files(self) -> list[str]:
        """Return what decides which files are targets, for comparison with an earlier choice."""
        return [*map(str, self.folders), *(["correct"] if self.correct else [])]
