"""A codec from nothing: what its warm-up trains, when codebooks are filled, and that it learns."""

from dataclasses import replace
from pathlib import Path

import fourier
import pytest
import torch
from click.testing import CliRunner
from training import SMALL_CODEC, manifest_of, small_base, small_recipe
from whole_runs import metrics, run

from snac_common.errors import BadInput, Failure
from snac_model import load, save
from snac_model.codec.fourier_from_base import with_fourier_decoder
from snac_model.codec.initialisation import init_variance_preserving
from snac_model.codec.loading import untrained
from snac_model.codec.snac import SNAC
from snac_train.cli.train import main as train_command
from snac_train.data.inputs import open_inputs
from snac_train.data.reading import Segments
from snac_train.data.slices import Draws
from snac_train.distributed.processes import Processes
from snac_train.run.checkpoints.checkpoint import read_checkpoint
from snac_train.training.objective import Objective
from snac_train.training.stage import Stage

CODEBOOKS = [f"quantizer.quantizers.{level}.codebook.weight" for level in range(3)]


@pytest.fixture(scope="module")
def kept(voices: Path, architecture: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs of warm-up and two of main, with a checkpoint of each step."""
    folder = tmp_path_factory.mktemp("base") / "run"
    every_step = {"checkpoint__every_steps": "1", "checkpoint__keep": "99"}
    recipe = small_base(architecture, curriculum__warmup_epochs="2", **every_step)
    run(recipe, voices, folder)
    return folder


def weights(folder: Path, step: int) -> dict[str, torch.Tensor]:
    return read_checkpoint(folder / f"checkpoints/step-{step:08d}").model


def random_start(architecture: Path) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return untrained(architecture).state_dict()


def test_warm_up_trains_all_but_the_codebooks(kept: Path, architecture: Path) -> None:
    start, first, last = random_start(architecture), weights(kept, 1), weights(kept, 8)
    for name, value in start.items():
        assert value.equal(last[name]) == (name in CODEBOOKS), name
        assert value.equal(first[name]) == (name in CODEBOOKS), name


def test_a_codec_with_a_fourier_decoder_is_trained_from_nothing(
    voices: Path, small_codec: Path, tmp_path: Path
) -> None:
    """The main stage first quantizes, so all of the model must have learnt in warm-up."""
    wanted = with_fourier_decoder(load(small_codec), fourier.settings((24_000,)))
    save(wanted, tmp_path / "shape")
    (tmp_path / "shape/model.safetensors").unlink()
    recipe = small_base(tmp_path / "shape", curriculum__warmup_epochs="1")
    run(recipe, voices, tmp_path / "run")
    steps = metrics(tmp_path / "run", "train")
    assert {(entry["stage"], "lr/decoder" in entry) for entry in steps} == {
        ("warmup", True),
        ("main", True),
    }
    assert load(tmp_path / "run/best").config.decoder_kind == "fourier"


def test_codebooks_are_filled_at_the_start_of_main(kept: Path) -> None:
    before, after = weights(kept, 8), weights(kept, 9)
    for name in CODEBOOKS:
        moved = (after[name] != before[name]).any(1)
        assert moved.all(), name
    log = (kept / "train.log").read_text()
    assert log.count(": filled from") == 3
    assert log.index("filled from") > log.index("epoch 2, val")
    assert log.index("filled from") < log.index("epoch 3, val")
    assert log.count("start anew") == 3  # before epoch 4


def test_lines_of_metrics_say_what_was_trained(kept: Path) -> None:
    steps = metrics(kept, "train")
    groups = {"decoder", "encoder", "projections"}
    for entry in steps:
        own = groups if entry["stage"] == "warmup" else {*groups, "codebooks"}
        assert {name for name in entry if name.startswith("lr/")} == {f"lr/{name}" for name in own}
        assert ("commitment" in entry) == (entry["stage"] == "main")
    assert {entry["stage"] for entry in steps} == {"warmup", "main"}
    for entry in metrics(kept, "val"):
        assert {f"codebook_{level}/perplexity" for level in range(3)} <= entry.keys()


def test_what_is_not_quantized_trains_encoder_and_projections_alone(
    voices: Path, architecture: Path
) -> None:
    recipe = small_base(architecture)
    inputs = open_inputs(recipe, voices, manifest_of(voices))
    stage = Stage("warmup", 4, inputs.model, recipe, Processes("cpu"))
    assert not inputs.model.get_parameter(CODEBOOKS[0]).requires_grad
    draws = Draws.for_epoch(0, 1)
    source = replace(inputs.source(recipe), context=0)
    dataset = source.dataset(Segments("train", 9, draws))
    batch = dataset.batch([0, 1])
    losses = stage.decoder.module(batch)
    losses["loss"].sum().backward()
    for name, weight in inputs.model.named_parameters():
        assert (weight.grad is not None) == (name not in CODEBOOKS), name
        assert weight.grad is None or weight.grad.isfinite().all()
    first = inputs.model.get_parameter("encoder.block.0.parametrizations.weight.original1")
    assert first.grad is not None
    assert first.grad.any()
    assert set(losses) == {"loss", "24k/loss", "24k/l1", "24k/stft"}
    quantized = Objective(inputs.model, recipe)(batch)
    assert not quantized["24k/loss"].equal(losses["24k/loss"])


def test_augmentation_changes_training_and_not_the_baseline(
    voices: Path, architecture: Path, tmp_path: Path
) -> None:
    plain = {
        "augmentation__gain_db": "0",
        "augmentation__speeds": "1",
        "augmentation__mix": "0",
        "augmentation__narrow": "0",
    }
    for name, settings in (("much", {}), ("plain", plain)):
        recipe = small_base(architecture, curriculum__epochs="1", **settings)
        run(recipe, voices, tmp_path / name)
    much, none = (metrics(tmp_path / name, "baseline") for name in ("much", "plain"))
    assert much == none
    first = [metrics(tmp_path / name, "train")[0]["loss"] for name in ("much", "plain")]
    assert first[0] != first[1]


def test_a_codec_learns_from_nothing(voices: Path, architecture: Path, tmp_path: Path) -> None:
    recipe = small_base(
        architecture,
        curriculum__epochs="14",
        curriculum__warmup_epochs="5",
        curriculum__epoch_ranges="1-14",
        curriculum__segment_s="0.3",
        curriculum__batch_multiplier="1",
        codebooks__revive_every="4",
        codebooks__vectors_per_code="4",
    )
    run(recipe, voices, tmp_path / "run")
    before, after = metrics(tmp_path / "run", "baseline")[0], metrics(tmp_path / "run", "val")[-1]
    assert after["24k/loss"] < 0.8 * before["24k/loss"]
    assert after["codebook_2/used"] > 0.5
    assert after["codebook_2/perplexity"] > 64
    assert load(tmp_path / "run/best").config == SMALL_CODEC().config


def test_a_start_at_random_is_that_of_its_seed(
    voices: Path, architecture: Path, small_codec: Path
) -> None:
    """Whatever was drawn before; and whatever weights the named model has."""
    recipe, manifest = small_base(architecture), manifest_of(voices)
    found = []
    for place in (architecture, small_codec):
        torch.manual_seed(0)
        recipe = small_base(place)
        found.append(open_inputs(recipe, voices, manifest).model.state_dict())
    trained = load(small_codec).state_dict()
    for name, value in found[0].items():
        assert value.equal(found[1][name]), name
    assert any(not value.equal(trained[name]) for name, value in found[0].items())


def test_a_start_at_random_keeps_variance(architecture: Path) -> None:
    config = SMALL_CODEC().config
    torch.manual_seed(0)
    expected = init_variance_preserving(SNAC(**config.to_dict())).state_dict()
    for name, value in random_start(architecture).items():
        assert value.equal(expected[name]), name


def test_an_older_checkpoint_is_no_architecture(tmp_path: Path) -> None:
    (tmp_path / "old.pt").write_bytes(b"")
    with pytest.raises(Failure, match=r"no config\.json"):
        untrained(tmp_path / "old.pt")


def test_a_runs_folder_and_a_builtin_name_an_architecture(tmp_path: Path) -> None:
    save(SMALL_CODEC(), tmp_path / "run/best")
    assert untrained(tmp_path / "run").config == SMALL_CODEC().config
    assert untrained("builtin:speech-small").config == load("builtin:speech-small").config
    with pytest.raises(Failure, match="there is no builtin:none"):
        untrained("builtin:none")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model__freeze_encoder": "true"}, "nothing worth freezing"),
        ({"model__freeze_vq": "true"}, "nothing worth freezing"),
        ({"data__codes": "cached"}, "set data.codes=encoded"),
        ({"data__reference": "target"}, "it needs data.codes=encoded and data.reference=source"),
        ({"augmentation__speeds": "[]"}, "speeds is empty"),
        ({"augmentation__speeds": "0.1"}, "from 0.5 to 2"),
        ({"augmentation__mix": "1.5"}, "from 0 to 1"),
        ({"codebooks__vectors_per_code": "0"}, "at least 1"),
        ({"loss__codebook_weight": "0"}, "nothing would train the codebooks"),
    ],
)
def test_settings_that_contradict_each_other_are_named(
    settings: dict[str, str], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        small_base(Path("none"), **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"augmentation__mix": "0.1"}, "augmentation changes what is encoded"),
        ({"augmentation__speeds": "1,0.9"}, "augmentation changes what is encoded"),
        ({"codebooks__fill": "true"}, "need model.freeze_vq=false"),
        ({"codebooks__revive_every": "2"}, "need model.freeze_vq=false"),
        ({"model__weights": "random"}, "nothing worth freezing"),
    ],
)
def test_a_frozen_tokenizer_has_none_of_it(settings: dict[str, str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        small_recipe(**settings)


def test_an_unknown_phase_is_answered_with_those_there_are() -> None:
    result = CliRunner().invoke(train_command, ["--phase", "nonsense", "--show-recipe"])
    assert result.exit_code == 2
    assert "--phase nonsense" in result.output
    assert "10, 11, 12, base" in result.output
