"""What runs kept in W&B's offline files."""

from pathlib import Path
from typing import Any

from snac_eval.comparison.wandb_file import read_history


def history(folder: Path) -> list[dict[str, Any]]:
    """Return every row logged by the offline runs in ``folder``, oldest first."""
    files = sorted(folder.glob("wandb/offline-run-*/*.wandb"))
    return [row for file in files for row in read_history(file)]
