"""Where each command leaves its results, and where the next one looks for them."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from snac_common.addresses import place

SPLITS = ("train", "val")

# In the folder of a run; in each folder of a best model its score lies beside it.
RECIPE, METRICS, LOG, STATE = "recipe.toml", "metrics.jsonl", "train.log", "run.json"
BEST_FOLDERS = {
    "combined": "best",
    "last": "best",
    "mel": "best_mel",
    "24k": "best_24k",
    "48k": "best_48k",
}
SCORE = "score.json"


# Of an evaluation, what a comparison reads.
MEASURED = ("metrics.parquet", "summary.json")


def is_measured(name: str) -> bool:
    """Say whether a file of an evaluation holds what was measured, not what is to be heard."""
    return name.endswith(MEASURED)


@dataclass(frozen=True)
class Artifacts:
    """The artifact root and the places below it."""

    root: Path

    @classmethod
    def at(cls, root: str | Path | None) -> Self:
        """Return the given root, else ``$SNAC_ARTIFACTS``, else ``./artifacts``.

        One in an object store is its mirror on this machine; see ``refresh``.
        """
        return cls(place(root or os.environ.get("SNAC_ARTIFACTS") or "artifacts"))

    @property
    def manifests(self) -> Path:
        """Folder of ``train.parquet``, ``val.parquet`` and ``rejects.parquet``."""
        return self.root / "manifests"

    @property
    def audio48k(self) -> Path:
        """Folder of the 48 kHz targets, ``{train,val}/<utterance_id>.flac``."""
        return self.root / "audio48k"

    @property
    def codes(self) -> Path:
        """Folder of ``train/``, ``val/``, ``rejects/`` and ``cache.json``."""
        return self.root / "codes"

    def run(self, name: str) -> Path:
        """Folder of one training run."""
        return self.root / "runs" / name

    def exported(self, name: str) -> Path:
        """Folder of a run's export."""
        return self.root / "export" / name

    def evaluation(self, name: str) -> Path:
        """Folder of one evaluation."""
        return self.root / "eval" / name
