"""Where each command leaves its results, and where the next one looks for them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from snac_common.addresses import place

SPLITS = ("train", "val")

NAMED = "SNAC_ARTIFACTS"
# What --artifacts says, for all that the command loads and starts. The person's own variable stays
# as it is: commands that are told to the person have to work in the person's shell.
GIVEN = "_SNAC_ARTIFACTS_GIVEN"

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
        return cls(place(root or os.environ.get(NAMED) or "artifacts"))

    @classmethod
    def of_command(cls) -> Self:
        """Return those of the command that runs here, where a model's name may be a run's."""
        return cls.at(os.environ.get(GIVEN))

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


@contextmanager
def given(root: Path | None) -> Iterator[None]:
    """Let ``Artifacts.of_command`` be those below ``root``, in this process and what it starts."""
    before = os.environ.get(GIVEN)
    if root is not None:
        os.environ[GIVEN] = os.fspath(root)
    try:
        yield
    finally:
        os.environ.pop(GIVEN, None)
        if before is not None:
            os.environ[GIVEN] = before
