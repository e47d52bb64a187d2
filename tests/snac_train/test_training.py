"""A small run of phase 12 from its cache to its best models."""

import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from training import SMALL_CODEC, manifest_of, small_recipe
from whole_runs import metrics, run
from workplace import succeed

from snac_cache.manifests.limit import sample
from snac_cache.manifests.read import read_manifest
from snac_common.errors import BadInput, Failure
from snac_common.tool import Terminated
from snac_model import load, save
from snac_model.codec.dual_head import DualHeadSNAC
from snac_model.codec.snac import SNAC
from snac_model.codec.weights import weights_sha256
from snac_train.data.dataset import Utterances
from snac_train.data.inputs import open_inputs
from snac_train.session.trainer import Trainer

GROUPS = ("trunk", "head_48k", "head_24k")

SPEEDS = ("samples_per_s", "waited_for_data")


@pytest.fixture(scope="module")
def finished(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder and the summary of a run of 4 epochs, the first of them warm-up."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    return folder, run(small_recipe(), voices, folder)


@pytest.fixture(scope="module")
def folder(finished: tuple[Path, dict[str, Any]]) -> Path:
    return finished[0]


def test_the_48k_loss_ends_clearly_lower(
    folder: Path, finished: tuple[Path, dict[str, Any]]
) -> None:
    baseline = metrics(folder, "baseline")[0]
    last = metrics(folder, "val")[-1]
    assert last["48k/loss"] < 0.9 * baseline["48k/loss"]
    summary = finished[1]
    assert summary["improvement_percent"]["48k"] > 10
    assert (summary["epochs"], summary["steps"]) == (4, 3 + 3 + 2 + 2)
    assert (summary["train"], summary["train_without_target"]) == (6, 1)


def test_what_is_not_encoded_yet_is_said_and_counted(
    voices: Path, small_codec: Path, tmp_path: Path
) -> None:
    """A cache whose command was killed, or of which another rank still makes its share."""
    codes = tmp_path / "codes"
    place = ["--manifest", manifest_of(voices), "--codes", codes, "--device", "cpu"]
    succeed("snac_cache.cli.cache", "--model", small_codec, *place, "--part-rows", 4)
    (codes / "train/part-00001.parquet").unlink()
    shutil.copytree(Path(manifest_of(voices)), tmp_path / "manifests")
    recipe = small_recipe(curriculum__epochs="1", curriculum__warmup_epochs="0")
    run(recipe, codes, tmp_path / "run")
    assert json.loads((tmp_path / "run/run.json").read_text())["counts"]["not_encoded"] == 3
    log = (tmp_path / "run/train.log").read_text()
    assert "warning: 3 utterances of the cache are not encoded yet" in log


def test_metrics_have_the_names_of_the_design(folder: Path) -> None:
    losses = {f"{head}/{part}" for head in ("24k", "48k") for part in ("loss", "l1", "stft")}
    place = {"kind", "step", "epoch", "samples_seen", "segment_s", "batch_size", "loss"}
    steps = metrics(folder, "train")
    own = {"stage", "grad_norm", "samples_per_s", "waited_for_data"}
    assert set(steps[0]) == {*losses, *place, *own, "lr/head_48k"}
    assert set(steps[-1]) == {*losses, *place, *own, *(f"lr/{group}" for group in GROUPS)}
    assert [set(entry) for entry in metrics(folder, "val")] == [{*losses, *place, "stage"}] * 4
    resampled = {f"resampled/48k/{part}" for part in ("loss", "l1", "stft")}
    assert [set(entry) for entry in metrics(folder, "baseline")] == [{*losses, *place, *resampled}]
    assert [entry["step"] for entry in steps] == list(range(1, 11))
    assert steps[-1]["samples_seen"] == 4 * 6
    assert steps[0]["segment_s"] == pytest.approx(19 * 256 / 24_000)
    assert [entry["batch_size"] for entry in steps] == [2] * 6 + [3] * 4
    recipe = small_recipe().loss
    for entry in steps:
        weighted = recipe.weight_24k * entry["24k/loss"] + recipe.weight_48k * entry["48k/loss"]
        assert entry["loss"] == pytest.approx(weighted)


def test_the_24k_head_is_only_watched_in_warm_up(folder: Path) -> None:
    baseline, first = metrics(folder, "baseline")[0], metrics(folder, "val")[0]
    assert first["24k/loss"] == baseline["24k/loss"]
    assert first["48k/loss"] != baseline["48k/loss"]


def one_cycle(step: int, steps: int, peak: float) -> float:
    """Return the rate of a step of one cycle: cosine up over 30 %, cosine down to 1/250,000."""
    turn = 0.3 * steps - 1
    if step <= turn:
        low, high, share = peak / 25, peak, step / turn
    else:
        low, high, share = peak, peak / 25 / 1e4, (step - turn) / (steps - 1 - turn)
    return high + (low - high) * (1 + math.cos(math.pi * share)) / 2


def test_each_group_has_one_cycle_over_the_whole_main_stage(voices: Path, tmp_path: Path) -> None:
    recipe = small_recipe(
        curriculum__epochs="9",
        curriculum__warmup_epochs="2",
        curriculum__epoch_ranges="1-3,4-9",
        curriculum__segment_s="0.02,0.04",
        schedule__peak_factor="0.5",
        validation__limit="1",
    )
    run(recipe, voices, tmp_path / "run")
    steps = metrics(tmp_path / "run", "train")
    warmup = [entry for entry in steps if entry["stage"] == "warmup"]
    main = [entry for entry in steps if entry["stage"] == "main"]
    assert {entry["lr/head_48k"] for entry in warmup} == {2e-3}
    assert len(main) == 3 + 6 * 2
    for group, peak in (("trunk", 2e-3), ("head_48k", 2e-3), ("head_24k", 4e-4)):
        rates = [entry[f"lr/{group}"] for entry in main]
        expected = [one_cycle(step, len(main), 0.5 * peak) for step in range(len(main))]
        assert rates == pytest.approx(expected, rel=1e-6)
        assert max(rates) <= 0.5 * peak


def test_encoder_and_quantizer_are_bit_identical_and_the_rest_is_trained(
    folder: Path, base: SNAC
) -> None:
    trained = load(folder / "best")
    before, after = DualHeadSNAC.from_base(base).state_dict(), trained.state_dict()
    for name, value in before.items():
        frozen = name.startswith(("encoder.", "quantizer."))
        assert value.equal(after[name]) == frozen, name


def test_frozen_weights_never_get_a_gradient(
    voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainers = []
    finish = Trainer.run

    def remember(self: Trainer, *arguments: Any) -> None:
        trainers.append(self)
        zero_grad = torch.optim.AdamW.zero_grad
        monkeypatch.setattr(torch.optim.AdamW, "zero_grad", lambda *_, **__: None)
        finish(self, *arguments)
        monkeypatch.setattr(torch.optim.AdamW, "zero_grad", zero_grad)

    monkeypatch.setattr(Trainer, "run", remember)
    run(small_recipe(curriculum__epochs="2"), voices, tmp_path / "run")
    model = trainers[0].model
    frozen = {weight for part in model.tokenizer_modules() for weight in part.parameters()}
    for weight in model.parameters():
        assert (weight.grad is None) == (weight in frozen)


def test_the_same_seed_gives_the_same_run_and_another_does_not(
    folder: Path, voices: Path, tmp_path: Path
) -> None:
    run(small_recipe(), voices, tmp_path / "again")
    run(small_recipe(data__seed="1", curriculum__epochs="1"), voices, tmp_path / "other")
    assert without_speed(tmp_path / "again") == without_speed(folder)
    for name in ("best", "best_24k", "best_48k"):
        weights = (tmp_path / "again" / name / "model.safetensors").read_bytes()
        assert weights == (folder / name / "model.safetensors").read_bytes()
    other = metrics(tmp_path / "other", "train")
    assert other[0]["loss"] != metrics(folder, "train")[0]["loss"]
    assert metrics(tmp_path / "other", "baseline") == metrics(folder, "baseline")


def without_speed(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: line[name] for name in line if name not in SPEEDS} for line in lines]


def test_segments_are_decoded_in_their_context(folder: Path, voices: Path, tmp_path: Path) -> None:
    recipe = small_recipe(data__context="false", curriculum__epochs="1")
    run(recipe, voices, tmp_path / "bare")
    with_context, bare = metrics(folder, "baseline")[0], metrics(tmp_path / "bare", "baseline")[0]
    assert bare["loss"] == pytest.approx(with_context["loss"], rel=0.05)
    assert bare["loss"] != with_context["loss"]


def test_best_models_are_those_of_their_scores(folder: Path) -> None:
    validations = metrics(folder, "val")
    for name, score in (("best", "loss"), ("best_24k", "24k/loss"), ("best_48k", "48k/loss")):
        best = min(validations, key=lambda entry: entry[score])
        kept = json.loads((folder / name / "score.json").read_text())
        assert (kept["score"], kept["epoch"], kept["step"]) == (
            best[score],
            best["epoch"],
            best["step"],
        )
        assert isinstance(load(folder / name), DualHeadSNAC)
    assert isinstance(load(folder), DualHeadSNAC)


def test_a_run_goes_on_from_a_trained_model(folder: Path, voices: Path, tmp_path: Path) -> None:
    recipe = small_recipe(model__base=str(folder / "best"), curriculum__epochs="1")
    run(recipe, voices, tmp_path / "second")
    best = json.loads((folder / "best/score.json").read_text())["metrics"]
    baseline = metrics(tmp_path / "second", "baseline")[0]
    assert baseline["loss"] == pytest.approx(best["loss"], rel=1e-6)


def test_run_json_says_what_the_run_was(folder: Path, base: SNAC) -> None:
    state = json.loads((folder / "run.json").read_text())
    assert state["state"] == "finished"
    assert state["device"] == "cpu"
    assert state["counts"]["train_without_target"] == 1
    assert state["cache"]["tokenizer_sha256"] == weights_sha256(base.tokenizer_modules())
    assert set(state["best"]) == {"combined", "24k", "48k"}
    assert (folder / "recipe.toml").read_text() == small_recipe().to_toml()
    log = (folder / "train.log").read_text()
    assert "19 coarse tokens" in log
    assert "1 without a 48 kHz target" in log


def test_a_run_is_never_overwritten(folder: Path, voices: Path) -> None:
    before = (folder / "run.json").read_bytes()
    with pytest.raises(Failure, match="--run NAME"):
        run(small_recipe(), voices, folder)
    assert (folder / "run.json").read_bytes() == before


def test_codes_of_another_model_are_refused(voices: Path, tmp_path: Path) -> None:
    other = SMALL_CODEC()
    with torch.no_grad():
        other.quantizer.get_parameter(next(iter(dict(other.quantizer.named_parameters())))).add_(1)
    save(other, tmp_path / "other")
    with pytest.raises(Failure, match="were made by"):
        run(small_recipe(model__base=str(tmp_path / "other")), voices, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_without_any_target_the_way_to_get_them_is_named(voices: Path, tmp_path: Path) -> None:
    from snac_cache.store.code_store import CodeStore

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CodeStore, "with_target", lambda self: np.arange(0))
        with pytest.raises(Failure, match="snac-upsample"):
            open_inputs(small_recipe(), voices, manifest_of(voices))


def test_a_limit_takes_the_utterances_that_snac_cache_takes(voices: Path) -> None:
    """By a hash of their ids: the first ones of a sorted corpus are one speaker's."""
    recipe = small_recipe(data__limit="3", validation__limit="2")
    inputs = open_inputs(recipe, voices, manifest_of(voices))
    rows = read_manifest(manifest_of(voices))
    for utterances, split, limit in ((inputs.train, "train", 3), (inputs.val, "val", 2)):
        usable = rows[split].filter(rows[split]["target_path"].is_valid())
        ids = [utterances.store[int(row)].utterance_id for row in utterances.rows]
        assert ids == sample(usable, limit)["utterance_id"].to_pylist()
        first = usable["utterance_id"].to_pylist()[:limit]
        assert (ids != first) == (split == "train"), "chance has it that val's are the first"


@pytest.fixture(scope="module")
def described(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The manifest of voices with a column of our own: a and b in turn."""
    folder = tmp_path_factory.mktemp("described")
    for split, rows in read_manifest(manifest_of(voices)).items():
        speakers = pa.array(["ab"[number % 2] for number in range(rows.num_rows)])
        pq.write_table(rows.append_column("speaker", speakers), folder / f"{split}.parquet")
    return str(folder)


def ids_of(utterances: Utterances) -> list[str]:
    return [utterances.store[int(row)].utterance_id for row in utterances.rows]


@pytest.mark.parametrize("encoded", [False, True])
def test_a_condition_selects_by_any_column_of_the_manifest(
    voices: Path, described: str, small_codec: Path, encoded: bool
) -> None:
    where = {"data__where": "speaker = 'a' -- only", "validation__where": "duration_s > 0.5"}
    if encoded:
        where |= {"data__codes": "encoded", "model__base": str(small_codec)}
    inputs = open_inputs(small_recipe(**where), voices, described)
    rows = {split: table.to_pylist() for split, table in read_manifest(described).items()}
    wanted = {
        "train": [r for r in rows["train"] if r["target_path"] and r["speaker"] == "a"],
        "val": [r for r in rows["val"] if r["target_path"] and r["duration_s"] > 0.5],
    }
    for split, utterances in (("train", inputs.train), ("val", inputs.val)):
        assert 0 < len(utterances) < len(rows[split])
        assert ids_of(utterances) == [row["utterance_id"] for row in wanted[split]]
    without = [row for row in rows["train"] if not row["target_path"] and row["speaker"] == "a"]
    assert inputs.counts()["train_without_target"] == len(without)


def test_a_limit_takes_of_those_that_a_condition_selects(voices: Path, described: str) -> None:
    both = small_recipe(data__where="speaker = 'a'", data__limit="2")
    some = ids_of(open_inputs(both, voices, described).train)
    whole = ids_of(open_inputs(small_recipe(data__where="speaker = 'a'"), voices, described).train)
    assert len(some) == 2
    assert set(some) < set(whole)


@pytest.mark.parametrize(
    ("name", "condition", "said"),
    [
        ("data", "spkr = 'a'", "data.where, \"spkr = 'a'\", cannot be answered"),
        ("validation", "speaker = ", "validation.where, 'speaker = ', cannot be answered"),
        ("data", "speaker = 'c'", "is true for none of the 7 train utterances"),
        ("validation", "duration_s > 99", "is true for none of the 5 val utterances"),
        ("data", "random() < 0.5", "would select other rows each time, by random()"),
    ],
)
def test_a_condition_that_cannot_be_is_said(
    voices: Path, described: str, name: str, condition: str, said: str
) -> None:
    recipe = small_recipe(**{f"{name}__where": condition})
    with pytest.raises(BadInput, match=re.escape(said)):
        open_inputs(recipe, voices, described)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, Terminated])
def test_an_interrupted_run_says_so(
    voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupt: type[BaseException]
) -> None:
    def stop(*_: object) -> None:
        raise interrupt

    monkeypatch.setattr(Trainer, "_train_epoch", stop)
    with pytest.raises(interrupt):
        run(small_recipe(), voices, tmp_path / "run")
    assert json.loads((tmp_path / "run/run.json").read_text())["state"] == "stopped"


def test_an_unknown_best_score_is_refused(voices: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="96k"):
        run(small_recipe(checkpoint__best="combined,96k"), voices, tmp_path / "run")
