"""Fine-tune SNAC decoders from cached codes: recipes, a curriculum, exact resume.

Names are resolved on first use, so that importing the package never imports torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snac_train.recipe.load import load_recipe
    from snac_train.recipe.tables import Recipe
    from snac_train.session.run_setup import Start
    from snac_train.session.train import Request, train
    from snac_train.training.objective import Objective

_HOMES = {
    "Objective": "training.objective",
    "Recipe": "recipe.tables",
    "Request": "session.train",
    "Start": "session.run_setup",
    "load_recipe": "recipe.load",
    "train": "session.train",
}

__all__ = ["Objective", "Recipe", "Request", "Start", "load_recipe", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'snac_train' has no attribute {name!r}")
    return getattr(import_module(f"snac_train.{_HOMES[name]}"), name)
