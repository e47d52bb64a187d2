"""The figures of the model card: against what they compare, and in which words."""

from pathlib import Path

from snac_model.export.card import _figures
from snac_model.export.run import Run

START = {
    "loss": 3.5,
    "24k/loss": 2.0,
    "48k/loss": 2.94,
    "resampled/48k/loss": 2.25,
}


def figures(metrics: dict[str, float]) -> str:
    state = {"baseline": START}
    return _figures(Run("run", Path("best"), {}, "", state, {"metrics": metrics}))


def test_a_48k_loss_is_compared_with_the_starting_model_resampled() -> None:
    """Against the untrained output it was 13 % better, and worse than resampling."""
    text = figures({"loss": 3.0, "24k/loss": 1.5, "48k/loss": 2.5582})
    assert "| 48k/loss | 2.9400 | 2.2500 | 2.5582 | 13.7 % higher |" in text
    assert "| 24k/loss | 2.0000 |  | 1.5000 | 25.0 % lower |" in text
    assert "| loss | 3.5000 |  | 3.0000 |  |" in text, "half of it is the untrained output's"
    assert "starting model" in text
    assert "base" not in text
