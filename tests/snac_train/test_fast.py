"""A new decoder: what it imitates, what is measured meanwhile, and exact resumption."""

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import killing
import pytest
import torch
from killing import Moment
from training import SMALL_CODEC, manifest_of
from whole_runs import FAST, fast_arguments, fast_recipe, metrics, result, run

from snac_common.errors import BadInput, Failure
from snac_model import DualHeadSNAC, load, save
from snac_model.audio.reading import resample
from snac_model.codec.snac import SNAC
from snac_model.codec.weights import weights_sha256
from snac_train.data.inputs import open_inputs
from snac_train.session.run_setup import Start
from snac_train.training.objective import Objective, own_positions
from snac_train.training.validation import validation_segments

STEP = "snac_train.training.stage:Stage.step"
MOMENTS = {
    "in the imitation": Moment(STEP, 3),
    "in the head start": Moment(STEP, 8),
    "in the main stage": Moment(STEP, 10, after=False),
}


@pytest.fixture(scope="module")
def uninterrupted(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("whole")
    assert killing.run(fast_arguments(root, voices), log=root / "log") == 0, (
        root / "log"
    ).read_text()
    return result(root)


# What the discriminators' stages hold over a kill, test_refine.py tells.
KILLED = [
    pytest.param(moment, id=name, marks=[] if name == "in the imitation" else pytest.mark.campaign)
    for name, moment in MOMENTS.items()
]


@pytest.mark.parametrize("moment", KILLED)
def test_a_run_that_is_killed_ends_as_if_it_had_not_been(
    voices: Path, tmp_path: Path, uninterrupted: dict[str, Any], moment: Moment
) -> None:
    log = tmp_path / "log"
    killed = killing.run(fast_arguments(tmp_path, voices), moment, log=log)
    assert killed == -signal.SIGKILL, log.read_text()
    assert killing.run(fast_arguments(tmp_path, voices, "--resume"), log=log) == 0, log.read_text()
    assert result(tmp_path) == uninterrupted


def test_it_imitates_first_and_is_judged_after(uninterrupted: dict[str, Any]) -> None:
    train = [line for line in uninterrupted["metrics"] if line["kind"] == "train"]
    imitating = [line for line in train if line["stage"] == "warmup"]
    main = [line for line in train if line["stage"] == "main"]
    assert imitating
    assert not any(
        "discriminators" in name or "real" in name for line in imitating for name in line
    )
    assert "24k/discriminators" in main[0]
    assert "24k/adversarial" in main[-1]
    rates = [line["lr/decoder"] for line in imitating]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < rates[0] <= 2e-3


def test_validation_is_of_real_speech_and_says_how_far_the_teacher_is(
    uninterrupted: dict[str, Any],
) -> None:
    lines = [line for line in uninterrupted["metrics"] if line["kind"] == "val"]
    assert all({"24k/loss", "48k/loss", "imitation/24k/loss"} <= line.keys() for line in lines)
    first, second = (line["imitation/loss"] for line in lines[:2])
    assert second < first
    assert ["24k/real" in line for line in lines] == [False, False, True, True]


def test_a_decoder_learns_to_imitate(voices: Path, tmp_path: Path) -> None:
    recipe = fast_recipe(
        curriculum__epochs="8",
        curriculum__warmup_epochs="8",
        curriculum__epoch_ranges="1-8",
        optimizer__warmup_lr="1e-2",
        curriculum__segment_s="0.2",
        curriculum__batch_multiplier="1",
        adversarial__weight="0",
        checkpoint__best="last",
    )
    run(recipe, voices, tmp_path / "run")
    lines = metrics(tmp_path / "run", "val")
    assert lines[-1]["imitation/loss"] < 0.8 * lines[0]["imitation/loss"]


def teacher(seed: int) -> SNAC:
    """Return the small codec with a second head of its own."""
    base = SMALL_CODEC()
    torch.manual_seed(seed)
    return DualHeadSNAC.from_base(base, copied=False)


def taught(voices: Path, teacher: str, rates: tuple[str, ...]) -> tuple[Objective, Any, Any]:
    """Return an objective with a teacher, a batch, and what the teacher says of it."""
    recipe = fast_recipe(model__teacher=teacher, model__heads=",".join(rates))
    inputs = open_inputs(recipe, voices, manifest_of(voices))
    batch = validation_segments(recipe, inputs, 0.2).batch([0, 1, 2])
    objective = Objective(inputs.model, recipe, teacher=inputs.teacher, imitates=True)
    return objective, batch, objective.taught(objective.latents(batch).values, batch)


@torch.no_grad()
def test_a_teacher_is_heard_as_in_whole_utterances_without_noise(
    voices: Path, tmp_path: Path
) -> None:
    dual = teacher(3)
    save(dual, tmp_path / "dual")
    objective, batch, segments = taught(voices, str(tmp_path / "dual"), ("24k", "48k"))
    latents = objective.latents(batch).values
    own = own_positions(batch, latents.shape[-1])
    whole = dual.decode_latents(latents * own[:, None], lambda *_: None)
    for head, rate in objective.heads.items():
        expected = objective.cut(whole[rate][:, 0], rate, batch)
        torch.testing.assert_close(segments[head], expected, rtol=0, atol=1e-5)
    losses = objective(batch)
    assert losses["24k/l1"] == pytest.approx(
        (objective.decode_segments(latents, batch)["24k"] - segments["24k"]).abs().mean(-1), rel=0.5
    )


@torch.no_grad()
def test_a_rate_that_the_teacher_lacks_is_its_own_resampled(voices: Path) -> None:
    _, _, segments = taught(voices, "", ("24k", "48k"))
    assert segments["48k"].shape[-1] == 2 * segments["24k"].shape[-1]
    again = resample(segments["24k"], 24_000, 48_000)
    inner = slice(400, -400)
    torch.testing.assert_close(segments["48k"][:, inner], again[:, inner], rtol=0, atol=1e-3)


def test_the_starting_model_is_the_teacher(voices: Path, tmp_path: Path) -> None:
    summary = run(fast_recipe(curriculum__epochs="2"), voices, tmp_path / "run")
    baseline = metrics(tmp_path / "run", "baseline")[0]
    assert summary["starting_model"]["mel"] == baseline["mel"]
    assert "imitation/loss" not in baseline
    kept = load(tmp_path / "run/best")
    assert kept.config.decoder_kind == "fourier"
    assert weights_sha256(kept.tokenizer_modules()) == weights_sha256(
        SMALL_CODEC().tokenizer_modules()
    )


def test_only_imitation_and_one_head_and_weight_zero_work(voices: Path, tmp_path: Path) -> None:
    recipe = fast_recipe(
        model__heads="24k",
        adversarial__weight="0",
        curriculum__epochs="2",
        curriculum__warmup_epochs="1",
        checkpoint__best="last",
        loss__weight_24k="1",
    )
    run(recipe, voices, tmp_path / "run")
    lines = metrics(tmp_path / "run", "train")
    assert {line["stage"] for line in lines} == {"warmup", "main"}
    assert not any("discriminators" in name for line in lines for name in line)
    assert load(tmp_path / "run/best").geometry.output_rates == (24_000,)


@pytest.fixture
def fast_base(tmp_path: Path, voices: Path) -> Path:
    """A run that has made a Fourier decoder."""
    run(fast_recipe(curriculum__epochs="1", curriculum__warmup_epochs="1"), voices, tmp_path / "a")
    return tmp_path / "a/best"


def test_a_fast_decoder_can_be_gone_on_with(
    fast_base: Path, voices: Path, tmp_path: Path, small_codec: Path
) -> None:
    base = {"model__base": str(fast_base)}
    with pytest.raises(Failure, match="would imitate itself"):
        open_inputs(fast_recipe(**base), voices, manifest_of(voices))
    other = fast_recipe(**base, fourier__dim="16", curriculum__warmup_epochs="0")
    with pytest.raises(Failure, match=r"a Fourier decoder already.*set \[fourier\]"):
        open_inputs(other, voices, manifest_of(voices))
    again = open_inputs(
        fast_recipe(**base, model__teacher=str(small_codec)), voices, manifest_of(voices)
    )
    assert again.teacher is not None
    assert weights_sha256([again.model]) == weights_sha256([load(fast_base)])
    main = fast_recipe(**base, curriculum__warmup_epochs="0", curriculum__epochs="2")
    run(main, voices, tmp_path / "b")
    assert {line["stage"] for line in metrics(tmp_path / "b", "train")} == {"main"}
    assert not any("imitation/loss" in line for line in metrics(tmp_path / "b", "val"))


def test_another_phase_has_no_warm_up_for_it(fast_base: Path, voices: Path) -> None:
    recipe = fast_recipe(model__base=str(fast_base), model__decoder="base")
    with pytest.raises(Failure, match="without new layers for a warm-up"):
        open_inputs(recipe, voices, manifest_of(voices))


def test_a_teacher_of_other_tokens_is_refused(voices: Path, tmp_path: Path) -> None:
    torch.manual_seed(9)
    other = SMALL_CODEC()
    with torch.no_grad():
        other.quantizer.levels[0].codebook.weight.add_(1)
    save(other, tmp_path)
    with pytest.raises(Failure, match="cannot teach a decoder"):
        open_inputs(fast_recipe(model__teacher=str(tmp_path)), voices, manifest_of(voices))


def test_a_run_does_not_go_on_with_another_shape_or_another_teacher(
    voices: Path, tmp_path: Path
) -> None:
    save(teacher(4), tmp_path / "teacher")
    recipe = fast_recipe(
        model__teacher=str(tmp_path / "teacher"),
        curriculum__epochs="1",
        curriculum__warmup_epochs="1",
    )
    run(recipe, voices, tmp_path / "run")
    state = json.loads((tmp_path / "run/run.json").read_text())
    assert state["state"] == "finished"
    wider = replace(recipe, fourier=replace(recipe.fourier, dim=16))
    with pytest.raises(Failure, match="a model of another shape"):
        run(wider, voices, tmp_path / "run", start=Start(True, allow_changed=("fourier",)))
    save(teacher(5), tmp_path / "teacher")
    with pytest.raises(Failure, match=r"teacher\.sha256"):
        run(recipe, voices, tmp_path / "run", start=Start(resume=True))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model__freeze_vq": "false", "data__codes": "encoded"}, "decoder of the base's tokens"),
        ({"model__teacher": "x", "model__decoder": "base"}, "set model.decoder=fourier too"),
        ({"fourier__look_ahead": "7"}, "looks at most 6 latent frames"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changed: dict[str, str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        fast_recipe(**changed)


def test_the_recipes_own_decoder_is_built(voices: Path) -> None:
    recipe = fast_recipe()
    model = open_inputs(recipe, voices, manifest_of(voices)).model
    assert isinstance(model, SNAC)
    assert model.config.decoder is not None
    assert model.config.decoder["rates"] == [24_000, 48_000]
    assert model.config.decoder["dim"] == int(FAST["fourier.dim"])
