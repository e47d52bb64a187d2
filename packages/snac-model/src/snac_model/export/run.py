"""What an export reads of a run."""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snac_common.artifacts import BEST_FOLDERS, RECIPE, SCORE, STATE, Artifacts
from snac_common.errors import Failure
from snac_model.places import CONFIG


@dataclass(frozen=True)
class Run:
    """A run, and which of its best models is exported.

    Attributes:
        name: of the run's folder.
        model: folder of the model.
        recipe: tables of the recipe.
        recipe_text: the same as its TOML.
        state: what ``run.json`` says.
        score: where the model comes from: epoch, step, and its metrics.
    """

    name: str
    model: Path
    recipe: dict[str, Any]
    recipe_text: str
    state: dict[str, Any]
    score: dict[str, Any]


def read_run(where: str, artifacts: Artifacts, best: str) -> Run:
    """Read a run by its name or folder; ``best`` is the score by which its model is the best.

    Raises:
        Failure: if it is no run, has no such model, or its files are damaged.
    """
    folder = artifacts.run(where)
    if Path(where).name != where or not folder.is_dir():
        folder = Path(where)
    if not (folder / RECIPE).is_file():
        raise Failure(
            f"{where} is no run: neither {artifacts.run(where)} nor {Path(where)} has a {RECIPE}. "
            "Give the name or the folder of a run of snac-train."
        )
    model = folder / BEST_FOLDERS[best]
    if not (model / CONFIG).is_file():
        raise Failure(_no_model(folder, best))
    recipe = (folder / RECIPE).read_text(encoding="utf-8")
    try:
        return Run(
            name=folder.resolve().name,
            model=model,
            recipe=tomllib.loads(recipe),
            recipe_text=recipe,
            state=_read_object(folder / STATE),
            score=_read_object(model / SCORE),
        )
    except (OSError, ValueError) as error:
        raise Failure(f"the run {folder} is damaged: {error}") from error


def _no_model(folder: Path, best: str) -> str:
    present = [name for name, place in BEST_FOLDERS.items() if (folder / place / CONFIG).is_file()]
    if not present:
        return f"the run {folder} has no best model yet. Train it to its first validation."
    return f"the run {folder} keeps no best model by --best {best}, only by {', '.join(present)}"


def _read_object(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no JSON object")
    return content
