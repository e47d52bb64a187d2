"""The models of the best validation scores."""

import shutil
from typing import Any

from snac_common.artifacts import BEST_FOLDERS, SCORE
from snac_common.run_files import Score
from snac_model.codec.snac import SNAC
from snac_model.codec.weights import save
from snac_model.discriminators import Discriminators, remove_discriminators, save_discriminators
from snac_train.run.run_folder import RunFolder

SCORES = {"combined": "loss", "mel": "mel", "24k": "24k/loss", "48k": "48k/loss"}
LAST = "last"  # kept whatever its score


class BestModels:
    """Keeps the model of each best validation score; the folders themselves say which those are."""

    def __init__(self, folder: RunFolder, kept: tuple[str, ...]) -> None:
        self.folder = folder
        self.kept = kept
        self.scores: dict[str, dict[str, Any]] = {}
        for name in kept:
            path = folder.path / BEST_FOLDERS[name] / SCORE
            if path.is_file():
                found = Score.read(path)
                self.scores[name] = {
                    "score": found.score,
                    "epoch": found.epoch,
                    "step": found.step,
                }

    def set_aside(self, after_step: int, *, all_of_them: bool = False) -> None:
        """Rename the models of a course that is left: those of later steps, or every one.

        Args:
            all_of_them: their scores cannot be compared with those to come.
        """
        for name, score in list(self.scores.items()):
            if all_of_them or score["step"] > after_step:
                del self.scores[name]
                path = self.folder.path / BEST_FOLDERS[name]
                if self.folder.writes and path.exists():
                    aside = path.with_name(f"aside-{path.name}")
                    shutil.rmtree(aside, ignore_errors=True)
                    path.rename(aside)
                    self.folder.log(
                        f"{path} is of step {score['step']}, of another course; it is "
                        f"{aside.name} now"
                    )

    def consider(
        self,
        model: SNAC,
        scores: dict[str, float],
        epoch: int,
        step: int,
        discriminators: Discriminators | None = None,
    ) -> list[str]:
        """Save the model under each name whose score it lowers; returns those names.

        Args:
            discriminators: what it was trained with, saved beside it.
        """
        lowered = [name for name in self.kept if self._lowers(name, scores)]
        for name in lowered:
            score = scores[SCORES.get(name, "loss")]
            self.scores[name] = {"score": score, "epoch": epoch, "step": step}
            self._write(name, model, discriminators, scores)
        return [name for name in lowered if name != LAST]

    def _lowers(self, name: str, scores: dict[str, float]) -> bool:
        if name == LAST or name not in self.scores:
            return True
        return scores[SCORES[name]] < float(self.scores[name]["score"])

    def _write(
        self,
        name: str,
        model: SNAC,
        discriminators: Discriminators | None,
        scores: dict[str, float],
    ) -> None:
        """Write the model, then its score: a score that is there is its model's."""
        if self.folder.writes:
            path = self.folder.path / BEST_FOLDERS[name]
            (path / SCORE).unlink(missing_ok=True)
            save(model, path)
            if discriminators is None:
                remove_discriminators(path)  # of an earlier stage, which are not this model's
            else:
                save_discriminators(discriminators, path)
            Score(**self.scores[name], metrics=scores).write(path / SCORE)
