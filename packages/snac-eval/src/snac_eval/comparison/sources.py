"""Finding runs: by name, by folder, or in Weights & Biases."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from snac_common.artifacts import Artifacts
from snac_common.errors import Failure
from snac_common.run_mirror import bring_model
from snac_common.run_names import no_such_run
from snac_eval.comparison.evaluations import find_evaluation
from snac_eval.comparison.run import Source
from snac_eval.comparison.run_files import read_recipe, read_state
from snac_eval.comparison.wandb_source import offline_source, online_source
from snac_eval.models.run_metrics import METRICS_FILE, read_entries

WANDB_RUN = re.compile(r"[\w-]+/[\w-]+/[\w-]+")


def find_sources(names: Sequence[str], artifacts: Artifacts) -> list[Source]:
    """Find the runs that are named, in that order; a name that occurs before is numbered.

    Raises:
        Failure: if there is no such run, or nothing can be read of it.
    """
    found: dict[str, Source] = {}
    for name in names:
        source = find_source(name, artifacts)
        distinct, number = source.name, 1
        while distinct in found:
            number += 1
            distinct = f"{source.name} ({number})"
        found[distinct] = replace(source, name=distinct)
    return list(found.values())


def find_source(name: str, artifacts: Artifacts) -> Source:
    """Find a run by its name in the artifacts, its folder, or its W&B id."""
    name = bring_model(name, artifacts)
    folder = artifacts.run(name) if Path(name).name == name else Path(name)
    if not folder.is_dir():
        folder = Path(name)
    if folder.is_dir():
        return replace(folder_source(folder), evaluation=find_evaluation(folder, artifacts))
    if WANDB_RUN.fullmatch(name):
        return online_source(name)
    raise no_such_run(
        name, artifacts, "The folder of a run will do too; of Weights & Biases, entity/project/id."
    )


def folder_source(folder: Path) -> Source:
    """Open a run's folder, or one in which W&B kept a run offline."""
    metrics = folder / METRICS_FILE
    if not metrics.is_file():
        if kept := sorted(folder.glob("*.wandb")):
            return offline_source(kept[0])
        raise Failure(
            f"the run {folder} has no {METRICS_FILE}: nothing was measured yet, or it is no run of "
            "snac-train. Give another one."
        )
    name = folder.resolve().name
    recipe, state = read_recipe(folder / "recipe.toml"), read_state(folder / "run.json")
    return Source(name, str(folder), recipe, state, read_entries(metrics))
