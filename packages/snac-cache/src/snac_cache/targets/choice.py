"""Which engine makes 48 kHz audio, as the command was asked; free of torch."""

from dataclasses import dataclass

from snac_cache.targets.given import GivenFolder

SIDON, RESAMPLE, FILES = "sidon", "resample", "files"
ENGINES = (SIDON, RESAMPLE, FILES)
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
