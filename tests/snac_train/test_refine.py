"""A decoder against discriminators: who moves when, what is kept, and exact resumption."""

import json
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

import killing
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from killing import Moment
from safetensors.torch import load_file
from training import small_recipe
from whole_runs import ADVERSARIAL, adversarial_recipe, arguments, metrics, result, run, settings

from snac_common.errors import BadInput, Failure
from snac_model.codec.loading import load
from snac_model.discriminators import load_discriminators
from snac_train.recipe.load import load_recipe
from snac_train.recipe.tables import Recipe
from snac_train.session.run_setup import Start
from snac_train.training.adversary import DiscriminatorObjective, Losses, Opponent
from snac_train.training.player import Moves

STEP = "snac_train.training.stage:Stage.step"
DISCRIMINATORS_TURN = "snac_train.training.stage:Stage._discriminators_turn"
MOMENTS = {
    "in the head start": Moment(STEP, 4),
    "between the two players' turns": Moment(DISCRIMINATORS_TURN, 3, after=False),
    "in a step of the decoder alone": Moment(STEP, 6),
    "while discriminators are written": Moment(
        "snac_train.run.checkpoints.checkpoint:_save_weights", 8
    ),
    "between a model and its discriminators": Moment(
        "snac_train.run.best_models:save_discriminators", 5, after=False
    ),
}


TWO_EPOCHS = {"curriculum__epochs": "2"}

# What holds for one head's discriminators holds for two: they are judged one after the other.
SHORT = ADVERSARIAL | {"adversarial.heads": "48k", "curriculum.epochs": "3"}


def adversarial(**overrides: str) -> Recipe:
    one_head = {"curriculum__warmup_epochs": "0", "adversarial__heads": "48k"}
    return adversarial_recipe(**(one_head | overrides))


@pytest.fixture(scope="module")
def uninterrupted(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("whole")
    options = settings(SHORT)
    assert killing.run(arguments(root, voices, *options), log=root / "log") == 0, (
        root / "log"
    ).read_text()
    whole = result(root)
    assert {"best/discriminators.safetensors", "best_mel/discriminators.json"} <= set(
        whole["files"]
    )
    assert any(name.endswith("modules/average.safetensors") for name in whole["files"])
    return whole


# Of one player's steps, and of weights that are being written, test_resume_law.py tells the same.
AS_OF_ONE = {
    "between a model and its discriminators",
    "in the head start",
    "in a step of the decoder alone",
    "while discriminators are written",
}
KILLED = [
    pytest.param(moment, id=name, marks=[pytest.mark.campaign] if name in AS_OF_ONE else [])
    for name, moment in MOMENTS.items()
]


@pytest.mark.parametrize("moment", KILLED)
def test_a_run_that_is_killed_ends_as_if_it_had_not_been(
    voices: Path, tmp_path: Path, uninterrupted: dict[str, Any], moment: Moment
) -> None:
    log, options = tmp_path / "log", settings(SHORT)
    killed = killing.run(arguments(tmp_path, voices, *options), moment, log=log)
    assert killed == -signal.SIGKILL, log.read_text()
    resumed = killing.run(arguments(tmp_path, voices, *options, "--resume"), log=log)
    assert resumed == 0, log.read_text()
    assert result(tmp_path) == uninterrupted


@pytest.mark.campaign
def test_two_processes_come_to_what_one_comes_to(voices: Path, tmp_path: Path) -> None:
    options = settings(
        ADVERSARIAL
        | {
            "curriculum.epochs": "2",
            "curriculum.epoch_ranges": "1-1,2-2",
            "adversarial.head_start": "1",
            "data.limit": "5",
            "optimizer.accumulate": "2",
            "optimizer.warmup_lr": "2e-4",
            "optimizer.main_lr": "2e-4",
            "adversarial.lr": "1e-4",
        }
    )
    found = []
    for name in ("alone", "two"):
        root = tmp_path / name
        root.mkdir()
        start = killing.run_two if name == "two" else killing.run
        code = start(arguments(root, voices, *options), log=root / "log")
        assert code in (0, [0, 0]), (root / "log").read_text()
        found.append(result(root)["metrics"])
    for one, two in zip(*found, strict=True):
        assert one.keys() == two.keys()
        for name, value in one.items():
            # shares are of each process's first micro-batch
            tolerance = 0.5 if "share/" in name else 2e-5
            expected = pytest.approx(value, rel=tolerance) if isinstance(value, float) else value
            assert two[name] == expected, name


def test_the_head_start_trains_the_discriminators_alone(voices: Path, tmp_path: Path) -> None:
    recipe = adversarial(
        adversarial__head_start="4",
        adversarial__every="1",
        curriculum__epochs="2",
        checkpoint__every_steps="1",
        checkpoint__keep="99",
    )
    run(recipe, voices, tmp_path / "run")
    checkpoints = sorted((tmp_path / "run/checkpoints").iterdir())
    models = [load_file(path / "model.safetensors") for path in checkpoints]
    averages = [load_file(path / "modules/average.safetensors") for path in checkpoints]
    judges = [load_file(path / "modules/discriminators.safetensors") for path in checkpoints]
    for step in range(1, 4):
        assert same(models[0], models[step])
        assert same(averages[0], averages[step])
        assert not same(judges[step - 1], judges[step])
    assert not same(models[3], models[4])
    assert not same(averages[3], averages[4])
    assert not same(averages[4], {name: models[4][name] for name in averages[4]})
    lines = metrics(tmp_path / "run", "train")
    assert ["48k/adversarial" in line for line in lines[:5]] == [False] * 4 + [True]
    assert ["grad_norm" in line for line in lines[:5]] == [False] * 4 + [True]
    assert all("48k/discriminators" in line for line in lines)


@given(
    moves=st.builds(Moves, st.integers(0, 9), st.booleans(), st.integers(1, 4)),
    steps=st.integers(0, 40),
)
def test_updates_are_counted_as_they_are_made(moves: Moves, steps: int) -> None:
    made = [
        moves.moves_first
        if step < moves.head_start
        else (step - moves.head_start) % moves.every == 0
        for step in range(steps)
    ]
    assert moves.until(steps) == sum(made)


@pytest.mark.campaign
def test_discriminators_learn(voices: Path, tmp_path: Path) -> None:
    recipe = adversarial(
        adversarial__head_start="59",
        adversarial__every="1",
        adversarial__lr="5e-3",
        curriculum__epochs="30",
        curriculum__epoch_ranges="1-30",
        curriculum__segment_s="0.2",
        curriculum__batch_multiplier="1",
    )
    run(recipe, voices, tmp_path / "run")
    lines = metrics(tmp_path / "run", "train")
    before, after = (
        sum(line["48k/discriminators"] for line in part) for part in (lines[:10], lines[-10:])
    )
    assert after < 0.8 * before
    last = metrics(tmp_path / "run", "val")[-1]
    assert last["48k/real"] > last["48k/fake"]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_what_is_kept_is_the_average(voices: Path, tmp_path: Path) -> None:
    run(adversarial(curriculum__epochs="3"), voices, tmp_path / "run")
    newest = max((tmp_path / "run/checkpoints").iterdir())
    average = load_file(newest / "modules/average.safetensors")
    kept = load(tmp_path / "run/best").state_dict()
    assert all(torch.equal(kept[name], value) for name, value in average.items())
    assert not same(average, load_file(newest / "model.safetensors"))
    judges = load_file(newest / "modules/discriminators.safetensors")
    assert same(judges, load_discriminators(tmp_path / "run/best").state_dict())
    scores = [line["mel"] for line in metrics(tmp_path / "run", "val")]
    assert json.loads((tmp_path / "run/best/score.json").read_text())["epoch"] == 3
    best = json.loads((tmp_path / "run/best_mel/score.json").read_text())
    assert (best["epoch"], best["score"]) == (scores.index(min(scores[1:])) + 1, min(scores[1:]))


def test_shares_of_the_gradient_add_up(voices: Path, tmp_path: Path) -> None:
    # epochs of three steps, so that lines are shorter
    both = {"adversarial__heads": "24k,48k"}
    recipe = adversarial(tracking__log_every="2", curriculum__epochs="3", **both)
    run(recipe, voices, tmp_path / "run")
    lines = [line for line in metrics(tmp_path / "run", "train") if "24k/share/mel" in line]
    assert [line["step"] for line in lines] == [5, 6, 8]
    for line in lines:
        for head in ("24k", "48k"):
            shares = {name: line[name] for name in line if name.startswith(f"{head}/share/")}
            assert {name.rpartition("/")[2] for name in shares} == {
                *("l1", "stft", "mel", "adversarial", "features")
            }
            assert sum(shares.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    "whose", [pytest.param("decoder", marks=pytest.mark.campaign), "discriminators"]
)
def test_neither_moves_where_one_is_not_finite(
    voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    """The loss or the gradient of either, once, after the head start."""
    kind = Opponent if whose == "decoder" else DiscriminatorObjective
    method = "terms" if whose == "decoder" else "forward"
    plainly = getattr(kind, method)
    calls = []

    def broken(self: Any, *given: Any) -> Losses:
        calls.append(given)
        losses: Losses = plainly(self, *given)
        once = BROKEN[whose]
        return {n: v + torch.nan if len(calls) == once else v for n, v in losses.items()}

    monkeypatch.setattr(kind, method, broken)
    recipe = adversarial(
        **TWO_EPOCHS,
        adversarial__every="1",
        adversarial__head_start="1",
        tracking__log_every="99",
        checkpoint__every_steps="1",
        checkpoint__keep="99",
        optimizer__accumulate="1",
    )
    summary = run(recipe, voices, tmp_path / "run", skip_non_finite=1)
    assert summary["skipped"] == 1
    log = (tmp_path / "run/train.log").read_text()
    step = int(log.partition(" is skipped")[0].rpartition("step ")[2])
    assert step > 1
    before, after = (tmp_path / f"run/checkpoints/step-{number:08d}" for number in (step - 1, step))
    for name in ("model", "modules/average", "modules/discriminators"):
        assert same(*(load_file(path / f"{name}.safetensors") for path in (before, after))), name
    calls.clear()
    with pytest.raises(Failure, match="not finite in step"):
        run(recipe, voices, tmp_path / "stops")


# Calls that are within a step after the head start: memory is measured by three before the first.
BROKEN = {"decoder": 3 + 3, "discriminators": 3 + 3}


def test_a_run_goes_on_with_another_ones_discriminators(voices: Path, tmp_path: Path) -> None:
    run(adversarial(**TWO_EPOCHS), voices, tmp_path / "first")
    start = str(tmp_path / "first")
    recipe = adversarial(adversarial__start=start, adversarial__lr="0", **TWO_EPOCHS)
    run(recipe, voices, tmp_path / "second")
    judges = load_discriminators(tmp_path / "first/best").state_dict()
    assert same(judges, load_discriminators(tmp_path / "second/best").state_dict())
    other = adversarial(adversarial__start=start, adversarial__periods="2,5")
    with pytest.raises(Failure, match=r"set the fields of \[adversarial\] as they are there"):
        run(other, voices, tmp_path / "third")
    nowhere = adversarial(adversarial__start=str(tmp_path / "nowhere"))
    with pytest.raises(Failure, match="no discriminators are there"):
        run(nowhere, voices, tmp_path / "fourth")


def test_a_run_does_not_go_on_with_others_of_its_own(voices: Path, tmp_path: Path) -> None:
    often = TWO_EPOCHS | {"checkpoint__every_steps": "4", "checkpoint__keep": "9"}
    run(adversarial(**often), voices, tmp_path / "run")
    before = (tmp_path / "run/metrics.jsonl").read_bytes()
    checkpoint = tmp_path / "run/checkpoints/step-00000004"
    start = Start(resume=True, checkpoint=checkpoint, allow_changed=("adversarial.periods",))
    with pytest.raises(Failure, match="the checkpoint's discriminators are others"):
        run(adversarial(adversarial__periods="2", **often), voices, tmp_path / "run", start=start)
    assert (tmp_path / "run/metrics.jsonl").read_bytes() == before


def test_with_weight_0_there_are_no_discriminators(voices: Path, tmp_path: Path) -> None:
    """Whatever else the table says."""
    plain = small_recipe(curriculum__warmup_epochs="0", **TWO_EPOCHS)
    run(plain, voices, tmp_path / "plain")
    table = {n: t for n, t in ADVERSARIAL.items() if n.startswith("adversarial.")}
    named = {name.replace(".", "__"): text for name, text in table.items()}
    without = small_recipe(
        **(named | TWO_EPOCHS | {"curriculum__warmup_epochs": "0", "adversarial__weight": "0"})
    )
    run(without, voices, tmp_path / "without")
    weights = [
        (tmp_path / name / "best/model.safetensors").read_bytes() for name in ("plain", "without")
    ]
    assert weights[0] == weights[1]
    assert not (tmp_path / "without/best/discriminators.json").exists()


def test_a_head_start_must_leave_steps_for_the_decoder(voices: Path, tmp_path: Path) -> None:
    recipe = adversarial(adversarial__head_start="500")
    with pytest.raises(BadInput, match="the discriminators alone would be trained in all"):
        run(recipe, voices, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("adversarial.band_edges", "0.1,1", "must rise from 0 to 1"),
        ("adversarial.heads", "[]", "adversarial.heads is empty"),
        ("optimizer.betas", "0.9", "are two numbers"),
        ("checkpoint.best", "combined,last", "both kept in best/"),
        ("adversarial.period_channels", "[]", "period_channels is empty"),
    ],
)
def test_settings_that_cannot_be_are_refused(field: str, text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        load_recipe("refine", [(field, text)])


def test_the_recipe_judges_a_head_that_there_is() -> None:
    with pytest.raises(BadInput, match="have none in common"):
        load_recipe("refine", [("model.heads", "24k"), ("adversarial.heads", "48k")])
    assert asdict(load_recipe("refine"))["adversarial"]["weight"] > 0
