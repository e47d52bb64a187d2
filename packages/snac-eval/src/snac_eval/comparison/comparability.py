"""What a validation number depends on besides the model: two numbers compare where it is equal."""

from collections.abc import Iterable
from typing import Any

from snac_eval.comparison.evaluations import PREFIX
from snac_eval.comparison.run import Run

SAME_START = 1e-3
TERMS = ("l1", "stft", "mel")
ALWAYS = ("validation.seed", "data.context", "data.codes", "data.reference")

Conditions = dict[str, Any]


def conditions_of(run: Run, metric: str) -> Conditions:
    """Return what a run's metric was measured on and with; what is not known is None.

    Which utterances the limit leaves is in the hash of their ids, and the codes are the
    tokenizer's. Neither the base nor what is trained matters: they make the model.
    """
    recipe, state = run.source.recipe or {}, run.source.state
    cache = state.get("cache") or {}
    if metric.startswith(PREFIX):
        return run.source.evaluation.conditions if run.source.evaluation else {}
    name, _, length = metric.partition("@")
    fields = [*ALWAYS, *_loss_fields(recipe, name)]
    if not length:
        fields.append("validation.segment_s")
    return {
        **{field: _field(recipe, field) for field in fields},
        "number of validation utterances": state.get("counts", {}).get("val"),
        "validation utterances": (state.get("data") or {}).get("val_sha256"),
        "tokenizer of the codes": cache.get("tokenizer_sha256"),
        "precision of the codes": cache.get("precision"),
    }


def differences(first: Conditions, other: Conditions) -> list[str]:
    """Say in which known conditions two measurements differ."""
    return [
        f"{name} ({_short(first[name])} and {_short(other[name])})"
        for name in first
        if name in other and None not in (first[name], other[name]) and first[name] != other[name]
    ]


def unknown(first: Conditions, other: Conditions) -> list[str]:
    """Name what is known about one measurement and not about the other."""
    return [
        name for name in first if name in other and (first[name] is None) != (other[name] is None)
    ]


def disagreement(first: Run, other: Run, metrics: Iterable[str]) -> str | None:
    """Say so if two runs measured one starting model differently: they heard different audio.

    What it scores before training depends on no run. A new 48 kHz head's score may, as it can
    start at random; so does arithmetic of another precision.
    """
    base, precision = first.source.state.get("base_sha256"), _precision(first)
    if base is None or (base, precision) != (
        other.source.state.get("base_sha256"),
        _precision(other),
    ):
        return None
    for metric in metrics:
        mine, theirs = first.get(metric), other.get(metric)
        pairs = [(mine.resampled, theirs.resampled)]
        if metric.startswith("24k/"):
            pairs.append((mine.start, theirs.start))
        for one, two in pairs:
            if one is not None and two is not None and abs(one - two) > SAME_START * abs(one):
                return (
                    f"the audio (of their common starting model {metric} is {one:.4f} and "
                    f"{two:.4f})"
                )
    return None


def _precision(run: Run) -> Any:
    return _field(run.source.recipe or {}, "optimizer.precision")


def _loss_fields(recipe: dict[str, dict[str, Any]], metric: str) -> list[str]:
    """Return the fields of the recipe that a loss is computed with."""
    head, _, part = metric.rpartition("/")
    if metric == "loss":
        named = _field(recipe, "model.heads")
        heads = [head for head in named if isinstance(head, str)] if isinstance(named, list) else []
        fields = [field for head in heads for field in _loss_fields(recipe, f"{head}/loss")]
        fields += [f"loss.weight_{head}" for head in heads]
        if _field(recipe, "data.codes") == "encoded":
            fields += ["loss.commitment_weight", "loss.codebook_weight"]
        return ["model.heads", *dict.fromkeys(fields)]
    if metric == "mel":
        return ["model.heads", "loss.weight_24k", "loss.weight_48k", "loss.mel_windows"]
    of_part = {"l1": [], "stft": [f"loss.fft_sizes_{head}"], "mel": ["loss.mel_windows"]}
    if part == "loss":
        named = _field(recipe, "loss.terms")
        terms = [term for term in TERMS if isinstance(named, list) and term in named]
        fields = [f"loss.{term}_weight" for term in terms]
        return ["loss.terms", *fields, *(field for term in terms for field in of_part[term])]
    return of_part.get(part, [])


def _field(recipe: dict[str, dict[str, Any]], name: str) -> Any:
    table, _, field = name.partition(".")
    return recipe.get(table, {}).get(field)


def _short(value: Any) -> str:
    text = str(value)
    return text[:8] if len(text) == 64 else text
