"""Opening what a run reads, and proving that codes, base and references belong together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from snac_cache.manifests.bandwidth import COLUMNS, say_if_narrow
from snac_cache.manifests.limit import chosen
from snac_cache.manifests.read import read_manifest
from snac_cache.store.code_store import CodeStore
from snac_cache.store.identity import CacheIdentity
from snac_common.artifacts import SPLITS
from snac_common.errors import BadInput, Failure
from snac_common.options import DEFAULT_MODEL
from snac_model.codec.dual_head import DualHeadSNAC, double_rate
from snac_model.codec.loading import load, untrained
from snac_model.codec.snac import SNAC
from snac_model.codec.weights import weights_sha256
from snac_train.data.dataset import Utterances
from snac_train.data.manifest_rows import ManifestRows
from snac_train.data.new_decoder import teacher_of, with_new_decoder
from snac_train.data.reading import SegmentSource
from snac_train.data.references import Reference, Sources, Targets
from snac_train.recipe.heads import RATES
from snac_train.recipe.tables import Data, Recipe


@dataclass(frozen=True)
class Inputs:
    """What a run starts from.

    Attributes:
        train: utterances that have a reference, as ``val``.
        left_out: how many of each split have none.
        base: the name of the model to start from.
        base_model: that model.
        model: what is trained: the base, with the heads of the recipe, or a new decoder.
        teacher: what a new decoder imitates; None where there is none.
        cache: what the codes were made with; None if they are encoded in training.
        manifest: where what is known of the utterances comes from.
        unlisted: cached utterances that it does not have, which are left out.
        not_encoded: utterances of the cache's plan that are not in it yet, of both splits.
    """

    train: Utterances
    val: Utterances
    left_out: dict[str, int]
    reference: Reference
    base: str
    base_model: SNAC
    model: SNAC
    teacher: SNAC | None
    cache: CacheIdentity | None
    manifest: str
    unlisted: int
    not_encoded: int

    def source(self, recipe: Recipe) -> SegmentSource:
        """Return what segments are read from."""
        geometry = self.model.geometry
        decoders = [self.model, *([self.teacher] if self.teacher else [])]
        context = max(decoder.geometry.context_tokens for decoder in decoders)
        return SegmentSource(
            utterances={"train": self.train, "val": self.val},
            reference=self.reference,
            augmentation=recipe.augmentation,
            geometry=geometry,
            context=context if recipe.data.context else 0,
        )

    def counts(self) -> dict[str, int]:
        """Return how many utterances are used, have no reference, and are not encoded yet."""
        counts = {"train": len(self.train), "val": len(self.val)}
        counts |= {f"{split}_without_target": self.left_out[split] for split in SPLITS}
        return counts | ({"not_encoded": self.not_encoded} if self.not_encoded else {})

    def narrow_targets(self) -> str | None:
        """Return what to tell a person if most targets hold nothing that 24 kHz audio lacks."""
        geometry = self.model.geometry
        if max(geometry.output_rates) <= geometry.sample_rate:
            return None
        return say_if_narrow(self.train.columns(COLUMNS))

    def hours(self) -> dict[str, float]:
        """Return how long the utterances of each split are."""
        return {"train": round(self.train.hours, 4), "val": round(self.val.hours, 4)}


def open_inputs(recipe: Recipe, codes: Path, manifest: str) -> Inputs:
    """Open the manifest, the cache in the folder ``codes`` if the recipe reads it, and the base.

    Raises:
        BadInput: if a condition of the recipe is wrong, or true for no utterance.
        Failure: if they are not there, or do not belong together.
    """
    if recipe.data.codes == "encoded":
        base = recipe.model.base or DEFAULT_MODEL
        model = untrained(base).eval() if recipe.model.weights == "random" else load(base)
        tables = read_manifest(manifest)
        rows = {split: ManifestRows(tables[split], model.geometry) for split in SPLITS}
        return _inputs(recipe, rows, manifest, manifest, base=base, model=model, cache=None)
    stores = {split: CodeStore(codes, split, Path(manifest)) for split in SPLITS}
    identity = stores["train"].identity
    base = recipe.model.base or identity.model
    model = load(base, tokenizer=identity.model)
    if weights_sha256(model.tokenizer_modules()) != identity.tokenizer_sha256:
        raise Failure(
            f"the codes in {codes} were made by {identity.model}; to {base} they mean "
            "something else. Give that model, or one fine-tuned from it, as --base; or encode "
            f"with this one: snac-cache --model {base} --codes DIR."
        )
    place = f"{codes}, by the manifest {manifest},"
    return _inputs(recipe, stores, manifest, place, base=base, model=model, cache=identity)


def _inputs(
    recipe: Recipe,
    rows: dict[str, Any],
    manifest: str,
    place: str,
    *,
    base: str,
    model: SNAC,
    cache: CacheIdentity | None,
) -> Inputs:
    selected = {split: _selected(rows[split], split, recipe) for split in SPLITS}
    usable = {split: _usable(rows[split], selected[split], recipe.data) for split in SPLITS}
    for split in SPLITS:
        if not len(usable[split]):
            raise Failure(_nothing_usable(split, len(selected[split]), place, recipe))
    return Inputs(
        train=_limited(rows["train"], usable["train"], recipe.data.limit),
        val=_limited(rows["val"], usable["val"], recipe.validation.limit),
        left_out={split: len(selected[split]) - len(usable[split]) for split in SPLITS},
        reference=_reference(recipe.data, model),
        base=base,
        base_model=model,
        model=with_heads(model, recipe, base),
        teacher=teacher_of(model, recipe, base),
        cache=cache,
        manifest=manifest,
        unlisted=rows["train"].unlisted if cache else 0,
        not_encoded=rows["train"].not_encoded if cache else 0,
    )


def with_heads(base: SNAC, recipe: Recipe, name: str) -> SNAC:
    """Return what a recipe trains: its base, with a 48 kHz head or output if that is new.

    Or with a new decoder.

    Raises:
        Failure: if the base cannot have the recipe's outputs.
    """
    wanted = tuple(RATES[head] for head in sorted(recipe.model.heads))
    if recipe.model.decoder == "fourier":
        return with_new_decoder(base, recipe, name, wanted)
    copied = recipe.model.new_layers == "copied"
    rate = base.geometry.sample_rate
    model = base
    if base.geometry.output_rates == (rate,) and wanted == (2 * rate,):
        model = double_rate(base, copied=copied)
    elif base.geometry.output_rates == (rate,) and wanted == (rate, 2 * rate):
        model = DualHeadSNAC.from_base(base, copied=copied)
    new = recipe.model.weights == "random"  # all of it
    if recipe.curriculum.warmup_epochs and base.config.decoder_kind != "snac" and not new:
        raise Failure(
            f"{name} has a {base.config.decoder_kind} decoder, without new layers for a warm-up: "
            "leave that out with --warmup-epochs 0"
        )
    if model.geometry.output_rates != wanted or model.geometry.decoder_context is None:
        raise Failure(
            f"{name} cannot be trained in this phase, whose outputs are {wanted} Hz of a 24 kHz "
            f"SNAC without attention: its own outputs are {base.geometry.output_rates} Hz."
        )
    return model


def _selected(rows: Any, split: str, recipe: Recipe) -> np.ndarray:
    """Return the rows of a split that the recipe's condition on it is true for."""
    table = {"train": "data", "val": "validation"}[split]
    condition = {"train": recipe.data.where, "val": recipe.validation.where}[split]
    if not condition.strip():
        return np.arange(len(rows))
    selected: np.ndarray = rows.where(condition, f"{table}.where")
    if len(rows) and not len(selected):
        raise BadInput(
            f"{table}.where, {condition!r}, is true for none of the {len(rows)} {split} "
            'utterances. Ask for what there is: snac-check --sql "SUMMARIZE manifest"'
        )
    return selected


def _usable(rows: Any, selected: np.ndarray, data: Data) -> np.ndarray:
    if data.reference != "target":
        return selected
    return np.intersect1d(selected, rows.with_target(), assume_unique=True)


def _limited(rows: Any, usable: np.ndarray, limit: int) -> Utterances:
    """Return so many of the usable rows as snac-cache's limit would take; all if it is 0."""
    if limit:
        ids = rows.column("utterance_id").take(pa.array(usable))
        usable = usable[chosen(ids, limit)]
    return Utterances(rows, usable)


def _nothing_usable(split: str, present: int, place: str, recipe: Recipe) -> str:
    if not present:
        return (
            f"{place} holds no {split} utterances. Run snac-manifest with a larger --val-ratio, or "
            "give another --manifest."
        )
    advice = "Make targets with snac-upsample"
    if "48k" not in recipe.model.heads:
        advice += "; or compare with the sources: --set data.reference=source"
    return f"none of the {present} {split} utterances in {place} has a 48 kHz target. {advice}."


def _reference(data: Data, model: SNAC) -> Reference:
    if data.reference == "source":
        return Sources(model.geometry.sample_rate)
    return Targets()
