"""What a run keeps."""

from pathlib import Path

from training import SMALL_CODEC

from snac_train.run.best_models import BestModels
from snac_train.run.run_folder import RunFolder


def test_a_model_is_kept_under_each_score_that_it_lowers_and_no_other(tmp_path: Path) -> None:
    best = BestModels(RunFolder(tmp_path), ("combined", "24k", "48k"))
    model = SMALL_CODEC()
    history = [
        ({"loss": 3.0, "24k/loss": 1.0, "48k/loss": 2.0}, ["combined", "24k", "48k"]),
        ({"loss": 2.5, "24k/loss": 1.5, "48k/loss": 1.0}, ["combined", "48k"]),
        ({"loss": 2.6, "24k/loss": 1.0, "48k/loss": 1.5}, []),
        ({"loss": 2.7, "24k/loss": 0.9, "48k/loss": 1.6}, ["24k"]),
    ]
    for epoch, (scores, lowered) in enumerate(history, start=1):
        assert best.consider(model, scores, epoch, step=10 * epoch) == lowered
    assert {name: entry["epoch"] for name, entry in best.scores.items()} == {
        "combined": 2,
        "24k": 4,
        "48k": 2,
    }
    assert {path.name for path in tmp_path.iterdir()} == {"best", "best_24k", "best_48k"}


def test_only_the_asked_for_scores_are_kept(tmp_path: Path) -> None:
    best = BestModels(RunFolder(tmp_path), ("48k",))
    scores = {"loss": 3.0, "24k/loss": 1.0, "48k/loss": 2.0}
    assert best.consider(SMALL_CODEC(), scores, 1, 10) == ["48k"]
    assert [path.name for path in tmp_path.iterdir()] == ["best_48k"]
