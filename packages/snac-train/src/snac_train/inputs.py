"""Opening what a run reads, and proving that codes, base and targets belong together."""

from dataclasses import dataclass
from pathlib import Path

from snac_cache.store import CodeStore
from snac_model.artifacts import SPLITS
from snac_model.dual_head import DualHeadSNAC
from snac_model.errors import Failure
from snac_model.weights import load, weights_sha256
from snac_train.dataset import Utterances
from snac_train.recipe import Recipe
from snac_train.targets import TARGET_RATE


@dataclass(frozen=True)
class Inputs:
    """The utterances of each split that have a target, and the model to start from."""

    train: Utterances
    val: Utterances
    base: str
    model: DualHeadSNAC

    def counts(self) -> dict[str, int]:
        """Return how many utterances are used, and how many have no target."""
        counts = {}
        for split in SPLITS:
            utterances = getattr(self, split)
            store = utterances.store
            counts[split] = len(utterances)
            counts[f"{split}_without_target"] = len(store) - len(store.with_target())
        return counts


def open_inputs(recipe: Recipe, codes: Path) -> Inputs:
    """Open the cache in the folder ``codes`` and the recipe's base.

    Raises:
        Failure: if they are not there, or do not belong together.
    """
    stores = {split: CodeStore(codes / split) for split in SPLITS}
    differences = stores["train"].identity.differences(stores["val"].identity)
    if differences:
        raise Failure(f"{codes}: train and val are of two caches: {'; '.join(differences)}")
    base = recipe.model.base or stores["train"].identity.model
    return Inputs(
        train=_choose(stores["train"], recipe.data.limit),
        val=_choose(stores["val"], recipe.validation.limit),
        base=base,
        model=load_base(base, stores["train"]),
    )


def load_base(base: str, store: CodeStore) -> DualHeadSNAC:
    """Load what training starts from; a single head gets its second.

    Raises:
        Failure: if the codes were not made by this model's encoder and quantizer, or if it cannot
            have outputs of 24 and 48 kHz.
    """
    model = load(base)
    identity = store.identity
    if weights_sha256(model.tokenizer_modules()) != identity.tokenizer_sha256:
        raise Failure(
            f"the codes in {store.folder} were made by {identity.model}; to {base} they mean "
            "something else. Give that model, or one fine-tuned from it, as --base; or encode "
            "with snac-cache again."
        )
    dual = model if isinstance(model, DualHeadSNAC) else DualHeadSNAC.from_base(model)
    geometry = dual.geometry
    rates = (geometry.sample_rate, TARGET_RATE)
    if geometry.output_rates != rates or geometry.decoder_context is None:
        raise Failure(
            f"{base} cannot be trained in this phase, which needs a 24 kHz SNAC without attention: "
            f"its rates would be {geometry.output_rates} Hz."
        )
    return dual


def _choose(store: CodeStore, limit: int) -> Utterances:
    rows = store.with_target()
    if not rows:
        raise Failure(
            f"none of the {len(store)} utterances in {store.folder} has a 48 kHz target. "
            "Make targets with snac-upsample, then run snac-manifest and snac-cache again."
        )
    return Utterances(store, rows[:limit] if limit else rows)
