"""A run of --phase fast as a folder for the Hub, which the official package cannot load."""

from pathlib import Path

import pytest
import torch
from models import codes
from training import SMALL_CODEC, make_cache, write_voice
from whole_runs import fast_recipe
from whole_runs import run as train
from workplace import run, succeed

from snac_model import load, save

EXPORT = "snac_model.cli.export"


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run called ``fast``."""
    root = tmp_path_factory.mktemp("fast")
    save(SMALL_CODEC(), root / "small")
    for number in range(4):
        write_voice(root / f"in/train/{number}.wav", 0.4 + 0.1 * number, number)
    write_voice(root / "in/val/0.wav", 0.6, 100)
    cached = make_cache(root / "in", root / "artifacts", root / "small")
    recipe = fast_recipe(
        curriculum__epochs="1", curriculum__warmup_epochs="1", adversarial__weight="0"
    )
    train(recipe, cached, root / "artifacts/runs/fast")
    return root / "artifacts"


def test_it_is_exported_as_safetensors_with_a_card_that_says_so(artifacts: Path) -> None:
    place = ["--artifacts", artifacts]
    summary = succeed(EXPORT, "fast", *place, "--half")
    folder = Path(summary["output"])
    assert not list(folder.rglob("pytorch_model.bin"))
    model, written = load(artifacts / "runs/fast/best"), load(folder)
    levels = codes(model, 3)
    for rate, audio in model.decode_by_rate(levels).items():
        torch.testing.assert_close(written.decode_by_rate(levels)[rate], audio, rtol=0, atol=1e-2)
    card = (folder / "README.md").read_text()
    assert "The official package `snac` cannot load it: it has no fourier decoder" in card
    assert "from snac import" not in card
    assert "library_name" not in card
    assert set(summary["onnx_largest_error"]) >= {"decoder_24000.onnx", "decoder_48000.onnx"}
    again = run(EXPORT, "fast", *place)
    assert again.exit_code == 2
    assert "is there already" in again.stderr
    assert succeed(EXPORT, "fast", *place, "--overwrite", "--no-onnx")["output"] == str(folder)


def test_what_is_no_export_is_not_replaced(artifacts: Path) -> None:
    folder = artifacts / "runs/fast/best"
    (folder / "README.md").write_text("a model of ours")
    answer = run(EXPORT, "fast", "--artifacts", artifacts, "-o", folder, "--overwrite")
    assert answer.exit_code == 2
    assert "holds no export" in answer.stderr
