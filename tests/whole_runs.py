"""Small whole runs, through the command and in this process, and what two must agree in."""

import json
from pathlib import Path
from typing import Any

from training import SMALL_BASE, SMALL_RECIPE, manifest_of, small_recipe

from snac_train.recipe.load import load_recipe
from snac_train.recipe.tables import Recipe
from snac_train.session.train import Request, train

OFTEN = {
    "checkpoint.every_steps": "2",
    "checkpoint.every_minutes": "0",
    "tracking.log_every": "3",
    "validation.batch_size": "3",
}
RECIPE = SMALL_RECIPE | OFTEN


# discriminators small enough for tests, in every way in which they take part
ADVERSARIAL = {
    "loss.terms": "l1,stft,mel",
    "loss.mel_windows": "64,128",
    "optimizer.betas": "0.8,0.99",
    "optimizer.average": "0.9",
    "adversarial.weight": "1",
    "adversarial.feature_weight": "5",
    "adversarial.periods": "2,3",
    "adversarial.period_channels": "2,4",
    "adversarial.window_sizes": "64",
    "adversarial.band_edges": "0,0.5,1",
    "adversarial.band_channels": "2",
    "adversarial.lr": "1e-3",
    "adversarial.head_start": "3",
    "adversarial.every": "2",
    "checkpoint.best": "last,mel,48k",
}


def adversarial_recipe(**overrides: str) -> Recipe:
    """Return the small recipe with these discriminators; keywords are ``table__field``."""
    named = {name.replace(".", "__"): text for name, text in ADVERSARIAL.items()}
    return small_recipe(**(named | overrides))


# a Fourier decoder small enough for tests: a warm-up that imitates, then discriminators
FAST = ADVERSARIAL | {
    "fourier.dim": "8",
    "fourier.hidden": "16",
    "fourier.blocks": "2",
    "curriculum.warmup_epochs": "2",
}


def fast_recipe(**overrides: str) -> Recipe:
    """Return the recipe of a small Fourier decoder; keywords are ``table__field``."""
    named = {name.replace("__", "."): text for name, text in overrides.items()}
    return load_recipe("fast", (SMALL_RECIPE | FAST | named).items())


def fast_arguments(root: Path, codes: Path, *more: object) -> list[object]:
    """Arguments that train a small Fourier decoder."""
    place = ["--artifacts", root, "--codes", codes, "--manifest", manifest_of(codes)]
    start = ["--phase", "fast", *place, "--run", "one", "--device", "cpu"]
    return [*start, *settings(RECIPE | FAST), *more]


def arguments(root: Path, codes: Path, *more: object) -> list[object]:
    place = ["--artifacts", root, "--codes", codes, "--manifest", manifest_of(codes)]
    place += ["--run", "one", "--device", "cpu"]
    return ["--phase", 12, *place, *settings(RECIPE), *more]


def base_arguments(root: Path, codes: Path, architecture: Path, *more: object) -> list[object]:
    """Arguments that train a codec from nothing on what the codes were made from."""
    place = ["--artifacts", root, "--manifest", manifest_of(codes), "--run", "one"]
    start = ["--phase", "base", "--base", architecture, "--device", "cpu"]
    return [*start, *place, *settings(SMALL_BASE | OFTEN), *more]


def settings(recipe: dict[str, str]) -> list[str]:
    return [word for name, text in recipe.items() for word in ("--set", f"{name}={text}")]


def result(root: Path) -> dict[str, Any]:
    """All that two runs must agree in."""
    run = root / "runs/one"
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        for speed in ("samples_per_s", "waited_for_data"):
            line.pop(speed, None)
    state = json.loads((run / "run.json").read_text())
    files = {
        str(path.relative_to(run)): path.read_bytes()
        for pattern in ("best*/*", "checkpoints/step-*/**/*.safetensors")
        for path in sorted(run.glob(pattern))
    }
    summary = state.get("summary", {})
    summary = {name: summary.get(name) for name in ("epochs", "steps", "starting_model", "best")}
    return {"state": state["state"], "summary": summary, "metrics": lines, "files": files}


def run(recipe: Recipe, codes: Path, folder: Path, **options: Any) -> dict[str, Any]:
    """Train in this process, and return the summary."""
    summary = train(recipe, Request(codes, manifest_of(codes), folder, "cpu", **options))
    assert summary is not None
    return summary


def metrics(folder: Path, kind: str) -> list[dict[str, Any]]:
    """Return a run's lines of metrics of one kind."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [entry for line in lines if (entry := json.loads(line))["kind"] == kind]
