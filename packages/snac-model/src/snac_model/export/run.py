"""What an export reads of a run."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snac_common.artifacts import BEST_FOLDERS, RECIPE, SCORE, STATE, Artifacts
from snac_common.errors import Failure
from snac_common.json_files import check_fields, read_json_object, read_text_file
from snac_common.run_mirror import bring_model
from snac_common.run_names import no_such_run
from snac_model.files.places import CONFIG

# what the card says
OF_STATE = {
    "base": str,
    "base_sha256": str,
    "counts.train": int,
    "counts.val": int,
    "plan.epochs": int,
    "plan.steps": int,
}
OF_SCORE = {"epoch": int, "step": int, "metrics": dict}
OF_RECIPE = {"model.freeze_encoder": bool, "model.freeze_vq": bool}


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
        mix: the runs whose models are mixed, with their shares; empty for a run's own.
    """

    name: str
    model: Path
    recipe: dict[str, Any]
    recipe_text: str
    state: dict[str, Any]
    score: dict[str, Any]
    mix: dict[str, float] = field(default_factory=dict)


def read_run(where: str, artifacts: Artifacts, best: str) -> Run:
    """Read a run by its name or folder; ``best`` is the score by which its model is the best.

    Raises:
        Failure: if it is no run, has no such model, or its files are damaged.
    """
    where = bring_model(where, artifacts)
    folder = artifacts.run(where)
    if Path(where).name != where or not folder.is_dir():
        folder = Path(where)
    if not (folder / RECIPE).is_file():
        raise no_such_run(where, artifacts, "The folder of a run will do too.")
    model = folder / BEST_FOLDERS[best]
    if not (model / CONFIG).is_file():
        raise Failure(_no_model(folder, best))
    recipe, text = _read_recipe(folder / RECIPE)
    return Run(
        name=folder.resolve().name,
        model=model,
        recipe=recipe,
        recipe_text=text,
        state=read_json_object(folder / STATE, OF_STATE),
        score=read_json_object(model / SCORE, OF_SCORE),
    )


def _no_model(folder: Path, best: str) -> str:
    places = {
        place: name for name, place in reversed(BEST_FOLDERS.items())
    }  # the last is in best/ too
    present = [name for place, name in places.items() if (folder / place / CONFIG).is_file()]
    if not present:
        return f"the run {folder} has no best model yet. Train it to its first validation."
    return f"the run {folder} keeps no best model by --best {best}, only by {', '.join(present)}"


def _read_recipe(path: Path) -> tuple[dict[str, Any], str]:
    """Read a recipe: its tables, and the text of them."""
    text = read_text_file(path)
    try:
        tables = tomllib.loads(text)
    except ValueError as error:
        raise Failure(f"{path} is damaged: it is no TOML ({error})") from error
    check_fields(tables, OF_RECIPE, str(path))
    return tables, text
