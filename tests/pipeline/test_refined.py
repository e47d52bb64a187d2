"""From a run to a refined one, and what of both is exported: discriminators, and mixes."""

import json
from pathlib import Path

import pytest
import torch
from training import SMALL_CODEC, SMALL_RECIPE, make_cache, write_voice
from whole_runs import ADVERSARIAL, settings
from workplace import run, succeed

from snac_model import load, save
from snac_model.discriminators import load_discriminators

TRAIN, EXPORT = "snac_train.cli.train", "snac_model.cli.export"
SHORT = SMALL_RECIPE | {
    "curriculum.epochs": "2",
    "curriculum.epoch_ranges": "1-2",
    "curriculum.segment_s": "0.2",
    "curriculum.batch_multiplier": "1",
}
PLAIN = ("--no-onnx", "--no-page")


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs ``first`` of phase 12, and ``refined`` from its best model."""
    root = tmp_path_factory.mktemp("refined")
    save(SMALL_CODEC(), root / "small")
    for number in range(4):
        write_voice(root / f"in/train/{number}.wav", 0.4 + 0.1 * number, number)
    write_voice(root / "in/val/0.wav", 0.6, 100)
    make_cache(root / "in", root / "artifacts", root / "small")
    places = ("--artifacts", root / "artifacts", "--device", "cpu")
    succeed(TRAIN, "--phase", 12, "--run", "first", *places, *settings(SHORT))
    small = {name: ADVERSARIAL[name] for name in ADVERSARIAL if name.startswith("adversarial.")}
    small |= {"adversarial.weight": "1", "adversarial.head_start": "1"}
    first = root / "artifacts/runs/first"
    options = settings(SHORT | small | {"loss.mel_windows": "64,128"})
    summary = succeed(
        TRAIN, "--phase", "refine", "--base", first, "--run", "refined", *places, *options
    )
    assert summary["steps"] == 4
    return root / "artifacts"


def test_a_run_is_refined_with_the_heads_of_its_base(artifacts: Path) -> None:
    assert load(artifacts / "runs/refined").geometry.output_rates == (24_000, 48_000)
    recipe = (artifacts / "runs/refined/recipe.toml").read_text()
    assert '"24k",\n    "48k",' in recipe


def test_discriminators_are_exported_and_can_be_gone_on_with(
    artifacts: Path, tmp_path: Path
) -> None:
    places = ("--artifacts", artifacts)
    summary = succeed(
        EXPORT, "refined", "--discriminators", *PLAIN, *places, "-o", tmp_path / "out"
    )
    assert "discriminators/discriminators.safetensors" in summary["files"]
    exported = load_discriminators(tmp_path / "out/discriminators")
    kept = load_discriminators(artifacts / "runs/refined/best")
    state = kept.state_dict()
    assert all(torch.equal(state[name], value) for name, value in exported.state_dict().items())
    card = (tmp_path / "out/README.md").read_text()
    assert "for 24 kHz and 48 kHz (periods 2, 3; windows of 64 samples)" in card
    failed = run(EXPORT, "first", "--discriminators", *PLAIN, *places, "-o", tmp_path / "none")
    assert failed.exit_code == 1
    assert "holds no discriminators" in failed.stderr
    assert not (tmp_path / "none").exists()


def test_a_mix_lies_between_its_runs(artifacts: Path) -> None:
    summary = succeed(EXPORT, "--mix", "first=0.25,refined=0.75", *PLAIN, "--artifacts", artifacts)
    folder = Path(summary["output"])
    assert folder == artifacts / "export/first-0.25-refined-0.75"
    first, refined = (
        load(artifacts / f"runs/{name}").state_dict() for name in ("first", "refined")
    )
    mixed = load(folder / "dual_head").state_dict()
    for name, value in mixed.items():
        expected = 0.25 * first[name] + 0.75 * refined[name]
        torch.testing.assert_close(value, expected)
        if name.startswith(("encoder", "quantizer")):
            assert torch.equal(value, first[name])
    assert any(not torch.equal(value, first[name]) for name, value in mixed.items())
    card = (folder / "README.md").read_text()
    assert "0.25 of `first` and 0.75 of `refined`" in card
    assert "A mix is not validated by training" in card


@pytest.mark.parametrize(
    ("mix", "said"),
    [
        ("first=0.5", "name two runs or more"),
        ("first=0.5,refined=0.6", "add up to 1"),
        ("first,refined=0.5", "write it as first=0.3,refined=0.7"),
        ("first=0.5,first=0.5", "each run once"),
        ("first=1.5,refined=-0.5", "write it as"),
    ],
)
def test_a_mix_that_is_none_is_a_usage_error(artifacts: Path, mix: str, said: str) -> None:
    failed = run(EXPORT, "--mix", mix, *PLAIN, "--artifacts", artifacts)
    assert failed.exit_code == 2
    assert said in failed.stderr


def test_models_without_a_common_start_are_not_mixed(artifacts: Path, tmp_path: Path) -> None:
    other = artifacts / "runs/other"
    torch.manual_seed(5)
    model = load(artifacts / "runs/first")
    with torch.no_grad():
        model.quantizer.levels[0].codebook.weight.add_(1)
    save(model, other / "best")
    for name in ("recipe.toml", "run.json", "best/score.json"):
        (other / name).write_bytes((artifacts / "runs/first" / name).read_bytes())
    failed = run(EXPORT, "--mix", "first=0.5,other=0.5", *PLAIN, "--artifacts", artifacts)
    assert failed.exit_code == 1
    assert "their tokens differ" in failed.stderr


def test_the_best_by_mel_is_exported_too(artifacts: Path, tmp_path: Path) -> None:
    places = ("--artifacts", artifacts)
    succeed(EXPORT, "refined", "--best", "mel", *PLAIN, *places, "-o", tmp_path / "mel")
    exported = load(tmp_path / "mel/dual_head").state_dict()
    kept = load(artifacts / "runs/refined/best_mel").state_dict()
    assert all(torch.equal(exported[name], value) for name, value in kept.items())
    score = json.loads((artifacts / "runs/refined/best/score.json").read_text())
    assert score["epoch"] == 2
