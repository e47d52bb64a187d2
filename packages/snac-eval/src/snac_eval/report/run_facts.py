"""What a report says of the training runs that its models come from."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snac_common.artifacts import RECIPE, STATE
from snac_common.console import note
from snac_common.errors import Failure
from snac_common.run_files import RunState
from snac_eval.models.names import duration

PHASES = {("24k",): "10", ("48k",): "11", ("24k", "48k"): "12"}


@dataclass(frozen=True)
class RunFacts:
    """A run in words.

    Attributes:
        name: of its folder.
        facts: texts by what they are about; what is not known is left out.
        recipe: as TOML, as the run resolved it; empty where there is none.
        warnings: in what the run says that its best model is worse than no training.
    """

    name: str
    facts: dict[str, str]
    recipe: str
    warnings: list[str]


def read_run_facts(run: Path) -> RunFacts:
    """Read what a run says of itself. A file that is damaged is noted, and left out."""
    state, recipe = _state(run / STATE), _recipe(run / RECIPE)
    facts = {
        "command": state.command,
        "phase": _phase(recipe),
        "starting model": state.base,
        "training data": _speech(state, "train"),
        "validation data": _speech(state, "val"),
        "trained for": _length(state),
        "state": state.state,
        "started": _date(state.started),
        "ended": _date(state.ended),
        "hardware": state.hardware or state.device,
        "versions": ", ".join(f"{name} {one}" for name, one in (state.versions or {}).items()),
        "folder": str(run),
    }
    told = {name: text for name, text in facts.items() if text}
    return RunFacts(run.resolve().name, told, recipe, state.warnings or [])


def _state(path: Path) -> RunState:
    if path.exists():
        try:
            return RunState.read(path)
        except Failure as failure:
            note(f"the report says less of this run: {failure}")
    return RunState("")


def _recipe(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def _phase(recipe: str) -> str:
    """Say which of the phases a recipe is, by the outputs that it trains."""
    try:
        model: dict[str, Any] = tomllib.loads(recipe).get("model", {})
        heads = tuple(model["heads"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    outputs = " and ".join(f"{head.removesuffix('k')} kHz" for head in heads)
    if not (model.get("freeze_encoder") and model.get("freeze_vq")):
        return f"encoder and decoder, {outputs}"
    return f"{PHASES.get(heads, 'other')} (decoder, {outputs})"


def _speech(state: RunState, split: str) -> str:
    count = (state.counts or {}).get(split)
    hours = (state.hours or {}).get(split)
    if count is None:
        return ""
    length = f", {duration(3600 * hours)}" if isinstance(hours, int | float) else ""
    return f"{count:,} utterances{length}"


def _date(stamp: str | None) -> str:
    """Return an ISO date and time as people write it: ``2026-11-28 11:25 UTC``."""
    return f"{stamp[:16].replace('T', ' ')} UTC" if stamp else ""


def _length(state: RunState) -> str:
    plan = state.plan or {}
    done = [
        f"{value:,} of {plan[name]:,} {name}"
        for name, value in (("steps", state.step), ("epochs", state.epoch))
        if value is not None and isinstance(plan.get(name), int)
    ]
    return ", ".join(done)
