"""What runs kept in W&B's offline files."""

from pathlib import Path
from typing import Any

import wandb

from snac_eval.comparison.wandb_file import read_history


def settle() -> None:
    """Have W&B's own process end, as it does with a command: until then a file may lack its end."""
    wandb.teardown()


def history(folder: Path, run_id: str = "*") -> list[dict[str, Any]]:
    """Return every row logged by the offline runs in ``folder``, oldest first."""
    settle()
    files = sorted(folder.glob(f"wandb/offline-run-*/run-{run_id}.wandb"))
    return [row for file in files for row in read_history(file)]
