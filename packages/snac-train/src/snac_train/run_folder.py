"""The folder of a run: recipe, metrics, log, state, and the best models so far."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from snac_model.codec import SNAC
from snac_model.console import note
from snac_model.errors import BadInput, Failure
from snac_model.files import write_text
from snac_model.weights import save

SCORES = {"combined": "loss", "24k": "24k/loss", "48k": "48k/loss"}
FOLDERS = {"combined": "best", "24k": "best_24k", "48k": "best_48k"}


class RunFolder:
    """Writes what a run leaves; ``run.json`` always says how it stands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state: dict[str, Any] = {}

    @classmethod
    def create(cls, path: Path) -> "RunFolder":
        """Start a run's folder; raises Failure if there is anything in it already."""
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise Failure(
                f"{path} already holds a run, which is never overwritten: give --run NAME"
            )
        path.mkdir(parents=True, exist_ok=True)
        return cls(path)

    def say(self, message: str) -> None:
        """Tell the person, and the log."""
        note(message)
        with (self.path / "train.log").open("a", encoding="utf-8") as log:
            log.write(f"{_now()} {message}\n")

    def record(self, **fields: object) -> None:
        """Write one line of metrics."""
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(fields, allow_nan=False) + "\n")

    def update(self, **fields: Any) -> None:
        """Change what ``run.json`` says."""
        self.state |= {**fields, "updated": _now()}
        text = json.dumps(self.state, indent=2, ensure_ascii=False)
        write_text(self.path / "run.json", text + "\n")

    def write_recipe(self, toml: str) -> None:
        """Write the resolved recipe."""
        write_text(self.path / "recipe.toml", toml)


class BestModels:
    """Keeps the model of each best validation score."""

    def __init__(self, folder: RunFolder, kept: tuple[str, ...]) -> None:
        unknown = set(kept) - set(SCORES)
        if unknown:
            raise BadInput(
                f"checkpoint.best cannot hold {unknown.pop()!r}, only {', '.join(SCORES)}"
            )
        self.folder = folder
        self.kept = kept
        self.scores: dict[str, dict[str, Any]] = {}

    def consider(self, model: SNAC, scores: dict[str, float], epoch: int, step: int) -> list[str]:
        """Save the model under each name whose score it lowers; returns those names."""
        lowered = [
            name
            for name in self.kept
            if name not in self.scores or scores[SCORES[name]] < self.scores[name]["score"]
        ]
        for name in lowered:
            path = self.folder.path / FOLDERS[name]
            save(model, path)
            entry = {"score": scores[SCORES[name]], "epoch": epoch, "step": step}
            write_text(
                path / "score.json", json.dumps({**entry, "metrics": scores}, indent=2) + "\n"
            )
            self.scores[name] = entry
        return lowered


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
