"""A comparison in Weights & Biases: tables, and a chart of each loss with a line a run."""

from dataclasses import astuple
from pathlib import Path
from typing import Any

from snac_common.wandb_key import choose_mode
from snac_eval.comparison.compare import Comparison
from snac_eval.comparison.formats import COLUMNS, in_words
from snac_eval.comparison.recipes import recipe_differences


def log(comparison: Comparison, mode: str, project: str, folder: Path) -> str:
    """Log to a new W&B run; returns where it is.

    Args:
        mode: ``online`` or ``offline``.
        folder: where W&B keeps its own files.
    """
    import wandb

    names = [run.name for run in comparison.runs]
    folder.mkdir(parents=True, exist_ok=True)
    online = choose_mode(mode) == "online"
    run = wandb.init(
        mode="online" if online else "offline",
        dir=folder,
        project=project,
        job_type="comparison",
        name=" / ".join(names),
        config={"runs": {run.name: run.source.where for run in comparison.runs}},
        settings=wandb.Settings(silent=True),
    )
    scores = [list(astuple(row)) for row in comparison.rows()]
    differences = [
        [field, *map(in_words, values)]
        for field, values in recipe_differences(comparison.runs).items()
    ]
    run.log(
        {
            "scores": wandb.Table(list(COLUMNS), scores),
            "recipes": wandb.Table(["field", *names], differences),
            "warnings": wandb.Table(["warning"], [[text] for text in comparison.warnings]),
            **_charts(comparison),
        }
    )
    where = str(run.url if online else Path(run.dir).parent)
    run.finish()
    return where


def _charts(comparison: Comparison) -> dict[str, Any]:
    """Draw each loss in validation over the samples that a run had seen."""
    import wandb

    charts: dict[str, Any] = {}
    for metric in comparison.metrics:
        found = {
            run.name: list(zip(*run.curves["val", metric].points(), strict=True))
            for run in comparison.runs
            if ("val", metric) in run.curves
        }
        if found:
            charts[f"curves/{metric}"] = wandb.plot.line_series(
                xs=[list(samples) for samples, _ in found.values()],
                ys=[list(values) for _, values in found.values()],
                keys=list(found),
                title=metric,
                xname="samples_seen",
            )
    return charts
