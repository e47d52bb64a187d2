"""Folders of runs as snac-train leaves them, with numbers that a test decides."""

import json
from pathlib import Path
from typing import Any

import tomli_w

RECIPE: dict[str, dict[str, Any]] = {
    "data": {"context": True, "codes": "cached", "reference": "target"},
    "model": {"heads": ["24k", "48k"]},
    "optimizer": {"main_lr": 5e-5, "precision": "fp32"},
    "loss": {
        "terms": ["l1", "stft"],
        "weight_24k": 0.3,
        "weight_48k": 1.0,
        "l1_weight": 1.0,
        "stft_weight": 1.0,
        "fft_sizes_24k": [1024, 2048],
        "fft_sizes_48k": [1024, 4096],
    },
    "validation": {"seed": 0, "limit": 0, "segment_s": 4.0},
}
STATE: dict[str, Any] = {
    "state": "finished",
    "base": "builtin:speech-small",
    "base_sha256": "b" * 64,
    "cache": {"tokenizer_sha256": "c" * 64, "precision": "fp32"},
    "counts": {"train": 90, "val": 10},
    "data": {"train_sha256": "d" * 64, "val_sha256": "e" * 64},
}


def entry(kind: str, step: int, **metrics: float) -> dict[str, Any]:
    """Return a line of metrics.jsonl; ``k48_loss`` stands for ``48k/loss``."""
    named = {
        name.replace("k24_", "24k/").replace("k48_", "48k/"): metrics[name] for name in metrics
    }
    place = {
        "kind": kind,
        "step": step,
        "epoch": step,
        "samples_seen": 10 * step,
        "segment_s": 4.01,
    }
    return {**place, "batch_size": 8, **named}


ENTRIES = [
    {**entry("baseline", 0, loss=4.0, k24_loss=2.0, k48_loss=3.4), "resampled/48k/loss": 5.0},
    entry("train", 1, loss=3.9, k24_loss=1.9, k48_loss=3.3),
    entry("val", 1, loss=3.5, k24_loss=1.8, k48_loss=3.0),
    entry("val", 2, loss=3.0, k24_loss=1.5, k48_loss=2.5),
    entry("val", 3, loss=3.2, k24_loss=1.6, k48_loss=2.7),
]


def scaled(factor: float) -> list[dict[str, Any]]:
    """Return the entries with validation losses that are ``factor`` times as large."""
    return [
        {
            name: value * factor if line["kind"] == "val" and name.endswith("loss") else value
            for name, value in line.items()
        }
        for line in ENTRIES
    ]


def write_run(
    root: Path,
    name: str,
    entries: list[dict[str, Any]] | None = None,
    state: dict[str, Any] | None = None,
    **fields: Any,
) -> Path:
    """Write a run below an artifact root; keywords are ``table__field`` of its recipe."""
    recipe = {table: dict(values) for table, values in RECIPE.items()}
    for field, value in fields.items():
        table, _, name_of_field = field.partition("__")
        recipe[table][name_of_field] = value
    folder = root / "runs" / name
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text(tomli_w.dumps(recipe))
    (folder / "run.json").write_text(json.dumps({**STATE, **(state or {})}))
    lines = "".join(json.dumps(line) + "\n" for line in entries or ENTRIES)
    (folder / "metrics.jsonl").write_text(lines)
    return folder
