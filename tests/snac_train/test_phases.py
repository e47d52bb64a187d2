"""Each phase on the small codec: what it trains, from what, and that its loss falls."""

import json
from pathlib import Path

import pytest
import torch
from training import SMALL_CODEC, SMALL_RECIPE, make_cache, write_voice
from whole_runs import metrics, run

from snac_common.errors import BadInput, Failure
from snac_model import load, save
from snac_model.codec.snac import SNAC
from snac_train.recipe.load import load_recipe
from snac_train.recipe.tables import Recipe

SCORES = {10: "24k/loss", 11: "48k/loss", 12: "48k/loss"}


def recipe_of(phase: int, **overrides: str) -> Recipe:
    named = {name.replace("__", "."): text for name, text in overrides.items()}
    return load_recipe(phase, (SMALL_RECIPE | named).items())


@pytest.fixture(scope="module")
def runs(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A run of each phase."""
    root = tmp_path_factory.mktemp("phases")
    for phase in (10, 11, 12):
        run(recipe_of(phase), voices, root / str(phase))
    return {phase: root / str(phase) for phase in (10, 11, 12)}


@pytest.mark.parametrize("phase", [10, 11, 12])
def test_its_loss_falls_clearly(runs: dict[int, Path], phase: int) -> None:
    before = metrics(runs[phase], "baseline")[0][SCORES[phase]]
    after = metrics(runs[phase], "val")[-1][SCORES[phase]]
    assert after < 0.95 * before


@pytest.mark.parametrize(
    ("phase", "rates"), [(10, (24_000,)), (11, (48_000,)), (12, (24_000, 48_000))]
)
def test_its_best_model_has_its_outputs_and_the_bases_tokens(
    runs: dict[int, Path], base: SNAC, phase: int, rates: tuple[int, ...]
) -> None:
    model = load(runs[phase] / "best")
    assert model.geometry.output_rates == rates
    for ours, theirs in zip(model.tokenizer_modules(), base.tokenizer_modules(), strict=True):
        for name, value in theirs.state_dict().items():
            assert value.equal(ours.state_dict()[name]), name


def test_the_24k_numbers_of_two_phases_compare(runs: dict[int, Path]) -> None:
    """Same utterances, segments, reference audio and loss: the starting models agree exactly."""
    ten, twelve = (metrics(runs[phase], "baseline")[0] for phase in (10, 12))
    for part in ("24k/loss", "24k/l1", "24k/stft"):
        assert ten[part] == pytest.approx(twelve[part], rel=1e-6)


def test_the_48k_numbers_of_two_phases_compare(runs: dict[int, Path]) -> None:
    eleven, twelve = (metrics(runs[phase], "baseline")[0] for phase in (11, 12))
    for part in ("48k/loss", "resampled/48k/loss"):
        assert eleven[part] == pytest.approx(twelve[part], rel=1e-6)


def test_phase_10_measures_each_segment_length_before_and_after(runs: dict[int, Path]) -> None:
    state = json.loads((runs[10] / "run.json").read_text())
    assert set(state["before"]) == set(state["after"]) == {"0.2", "0.4"}
    for length, percent in state["improvement_percent_at"].items():
        before, after = state["before"][length], state["after"][length]
        assert percent == round(100 * (1 - after / before), 2)
        assert percent > 0
    assert len(metrics(runs[10], "length")) == 4
    assert state["summary"]["improvement_percent_at"] == state["improvement_percent_at"]


def test_phase_10_has_no_warm_up_and_a_cosine_down_to_a_tenth(runs: dict[int, Path]) -> None:
    steps = metrics(runs[10], "train")
    assert {entry["stage"] for entry in steps} == {"main"}
    rates = [entry["lr/decoder"] for entry in steps]
    assert rates[0] == 2e-3
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(2e-4, rel=0.3)  # a step before the end


def test_phase_11_may_start_from_phase_10s_best(
    runs: dict[int, Path], voices: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(11, model__base=str(runs[10] / "best"), curriculum__epochs="1")
    run(recipe, voices, tmp_path / "run")
    copied = metrics(tmp_path / "run", "baseline")[0]
    assert copied["48k/loss"] != metrics(runs[11], "baseline")[0]["48k/loss"]


def test_phase_11_may_start_at_random_and_without_warm_up(
    runs: dict[int, Path], voices: Path, tmp_path: Path
) -> None:
    settings = {"model__new_layers": "random", "curriculum__warmup_epochs": "0"}
    for name in ("run", "again"):
        run(recipe_of(11, curriculum__epochs="1", **settings), voices, tmp_path / name)
    assert metrics(tmp_path / "run", "baseline") == metrics(tmp_path / "again", "baseline")
    random = metrics(tmp_path / "run", "baseline")[0]["48k/loss"]
    assert random != metrics(runs[11], "baseline")[0]["48k/loss"]
    assert {entry["stage"] for entry in metrics(tmp_path / "run", "train")} == {"main"}


def test_codes_encoded_on_the_fly_are_nearly_the_cached_ones(
    runs: dict[int, Path], voices: Path, tmp_path: Path, small_codec: Path
) -> None:
    """A window's first and last tokens lack what lies beside it; the loss is nearly the same."""
    recipe = recipe_of(
        11, data__codes="encoded", model__base=str(small_codec), curriculum__epochs="1"
    )
    run(recipe, voices, tmp_path / "run")
    encoded, cached = (metrics(folder, "baseline")[0] for folder in (tmp_path / "run", runs[11]))
    assert encoded["48k/loss"] == pytest.approx(cached["48k/loss"], rel=0.02)
    assert json.loads((tmp_path / "run/run.json").read_text()).get("cache") is None


@pytest.mark.parametrize(
    "reference", ["target", pytest.param("source", marks=pytest.mark.campaign)]
)
def test_the_full_model_is_trained_from_audio(
    voices: Path, tmp_path: Path, small_codec: Path, base: SNAC, reference: str
) -> None:
    recipe = recipe_of(
        10,
        data__codes="encoded",
        data__reference=reference,
        model__base=str(small_codec),
        model__freeze_encoder="false",
        model__freeze_vq="false",
    )
    summary = run(recipe, voices, tmp_path / "run")
    assert summary["train"] == (7 if reference == "source" else 6)
    before, after = metrics(tmp_path / "run", "baseline")[0], metrics(tmp_path / "run", "val")[-1]
    assert after["24k/loss"] < before["24k/loss"]
    for level in range(3):
        assert 0 < after[f"codebook_{level}/used"] <= 1
        assert 1 <= after[f"codebook_{level}/perplexity"] <= 256
    trained = load(tmp_path / "run/best").state_dict()
    changed = {name for name, value in base.state_dict().items() if not value.equal(trained[name])}
    assert any(name.startswith("encoder.") for name in changed)
    assert any(name.endswith("codebook.weight") for name in changed)


def test_a_frozen_half_of_the_tokenizer_stays_as_it_is(
    voices: Path, tmp_path: Path, small_codec: Path, base: SNAC
) -> None:
    recipe = recipe_of(
        10,
        data__codes="encoded",
        model__base=str(small_codec),
        model__freeze_encoder="false",
        curriculum__epochs="1",
    )
    run(recipe, voices, tmp_path / "run")
    trained = load(tmp_path / "run/best").state_dict()
    changed = {name for name, value in base.state_dict().items() if not value.equal(trained[name])}
    assert any(name.startswith("encoder.") for name in changed)
    assert not any(name.startswith("quantizer.") for name in changed)


@pytest.mark.parametrize(
    ("phase", "settings", "message"),
    [
        (10, {"model__freeze_encoder": "false"}, "data.codes=encoded"),
        (11, {"data__reference": "source"}, "48 kHz"),
        (10, {"checkpoint__best": "48k"}, "model.heads"),
        (
            10,
            {"model__freeze_vq": "false", "data__codes": "encoded", "loss__codebook_weight": "0"},
            "codebook",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_named(
    phase: int, settings: dict[str, str], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        recipe_of(phase, **settings)


def test_without_targets_phase_10_may_train_on_the_sources(
    small_codec: Path, tmp_path: Path
) -> None:
    for split, count in (("train", 3), ("val", 2)):
        for number in range(count):
            write_voice(tmp_path / f"in/{split}/{number}.wav", 0.5, number, 22_050)
    codes = make_cache(tmp_path / "in", tmp_path / "artifacts", small_codec)
    with pytest.raises(Failure, match=r"data\.reference=source"):
        run(recipe_of(10), codes, tmp_path / "run")
    summary = run(recipe_of(10, data__reference="source"), codes, tmp_path / "run")
    assert summary["train"] == 3
    assert summary["improvement_percent"]["combined"] > 0


def test_a_base_that_cannot_have_the_outputs_is_refused(voices: Path, tmp_path: Path) -> None:
    from snac_model.codec.dual_head import DualHeadSNAC

    save(DualHeadSNAC.from_base(SMALL_CODEC()), tmp_path / "dual")
    with pytest.raises(Failure, match="cannot be trained in this phase"):
        run(recipe_of(10, model__base=str(tmp_path / "dual")), voices, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert torch.is_grad_enabled()
