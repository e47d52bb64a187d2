"""Fine-tune SNAC decoders from cached codes: recipes, a curriculum, exact resume.

Names are resolved on first use, so that importing the package never imports torch.
"""

from typing import TYPE_CHECKING

from snac_common.lazy_names import names_on_demand

if TYPE_CHECKING:
    from snac_train.recipe.load import load_recipe
    from snac_train.recipe.tables import Recipe
    from snac_train.session.run_setup import Start
    from snac_train.session.train import Request, train
    from snac_train.training.objective import Objective

_HOMES = {
    "Objective": "snac_train.training.objective",
    "Recipe": "snac_train.recipe.tables",
    "Request": "snac_train.session.train",
    "Start": "snac_train.session.run_setup",
    "load_recipe": "snac_train.recipe.load",
    "train": "snac_train.session.train",
}

__all__ = ["Objective", "Recipe", "Request", "Start", "load_recipe", "train"]

__getattr__ = names_on_demand(__name__, _HOMES)
