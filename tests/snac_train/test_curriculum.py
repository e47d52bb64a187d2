"""The plan of epochs: every epoch once, whole stages, and segments of whole coarse tokens."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from training import SMALL_CODEC

from snac_common.errors import BadInput
from snac_model.shapes.geometry import Geometry
from snac_train.recipe.curriculum import describe, parse_ranges, plan_epochs, stage_steps
from snac_train.recipe.load import load_recipe
from snac_train.recipe.tables import Curriculum, Schedule
from snac_train.training.optimization import make_schedule

PHASE_12 = load_recipe(12).curriculum
GEOMETRY = replace(SMALL_CODEC().geometry, hop_length=512, output_rates=(24_000, 48_000))
SHARES = st.builds(lambda steps: 1 / steps, st.integers(1, 60))


def test_phase_12_resolves_to_whole_coarse_tokens() -> None:
    epochs = plan_epochs(PHASE_12, GEOMETRY, 1000)
    assert [epoch.number for epoch in epochs] == list(range(1, 16))
    assert [epoch.segment_tokens for epoch in epochs] == [12] * 2 + [23] * 2 + [35] * 2 + [47] * 9
    assert [epoch.batch_size for epoch in epochs] == [192] * 2 + [96] * 2 + [58] * 2 + [43] * 9
    assert [epoch.stage for epoch in epochs] == ["warmup"] + ["main"] * 14
    lines = describe(epochs, GEOMETRY)
    assert [line.split(":")[0] for line in lines] == [
        "epoch 1 (warmup)",
        "epoch 2 (main)",
        "epoch 3-4 (main)",
        "epoch 5-6 (main)",
        "epoch 7-15 (main)",
    ]
    assert "12 coarse tokens, 1.024 s, 24,576 samples at 24,000 Hz, 49,152 samples" in lines[0]


@given(
    cuts=st.lists(st.integers(1, 5), min_size=1, max_size=5),
    epochs=st.integers(1, 30),
    warmup=st.integers(0, 30),
    utterances=st.integers(1, 500),
)
def test_a_plan_holds_each_epoch_once_and_its_stages_all_steps(
    cuts: list[int], epochs: int, warmup: int, utterances: int
) -> None:
    ranges, last = [], 0
    for count in cuts:
        ranges.append(f"{last + 1}-{last + count}")
        last += count
    curriculum = replace(
        PHASE_12,
        epochs=epochs,
        warmup_epochs=warmup,
        epoch_ranges=tuple(ranges),
        segment_s=tuple(float(index) for index in range(len(cuts))),
        batch_multiplier=(1.0,) * len(cuts),
    )
    if epochs > last or warmup > epochs:
        with pytest.raises(BadInput):
            plan_epochs(curriculum, GEOMETRY, utterances)
        return
    plan = plan_epochs(curriculum, GEOMETRY, utterances)
    assert [epoch.number for epoch in plan] == list(range(1, epochs + 1))
    assert [epoch.stage for epoch in plan].count("warmup") == warmup
    steps = math.ceil(utterances / 96)
    assert stage_steps(plan, "warmup") == warmup * steps
    assert stage_steps(plan, "main") == (epochs - warmup) * steps


@pytest.mark.parametrize("texts", [["2-3"], ["1-2", "4"], ["1-3", "3-4"], ["1-x"], ["3-1"], [""]])
def test_gaps_and_overlaps_are_refused(texts: list[str]) -> None:
    with pytest.raises(BadInput):
        parse_ranges(texts, 3)


def test_lists_of_unequal_length_are_refused_by_the_names_of_their_options() -> None:
    named = "--epoch-ranges has 4 values, --segment-schedule 2 and --batch-multiplier 4"
    with pytest.raises(BadInput, match=named):
        plan_epochs(replace(PHASE_12, segment_s=(1.0, 2.0)), GEOMETRY, 10)


def changed(curriculum: Curriculum, field: str, values: tuple[float, ...]) -> Curriculum:
    fields: dict[str, Any] = {field: values}
    return replace(curriculum, **fields)


@given(st.sampled_from(["segment_s", "batch_multiplier"]), st.floats(0.1, 4))
def test_one_value_holds_for_all_epochs(field: str, value: float) -> None:
    short, whole = (
        plan_epochs(changed(PHASE_12, field, values), GEOMETRY, 10)
        for values in ((value,), (value,) * 4)
    )
    assert short == whole


@given(st.floats(0, 60))
def test_a_segment_is_the_nearest_whole_number_of_tokens(seconds: float) -> None:
    geometry: Geometry = GEOMETRY
    tokens = geometry.coarse_tokens(seconds)
    token_s = geometry.seconds(1)
    assert tokens >= 1
    assert tokens == 1 or abs(geometry.seconds(tokens) - seconds) <= token_s / 2 + 1e-9


@settings(max_examples=300)  # the first one imports half of torch
@given(
    st.integers(1, 60),
    st.floats(0, 1) | st.sampled_from([0.05, 0.1, 0.3, 0.5, 1.0, 1 / 3]) | SHARES,
)
def test_a_cycle_that_is_planned_works_in_every_step(steps: int, pct_start: float) -> None:
    one_step_an_epoch = replace(
        PHASE_12,
        epochs=steps,
        warmup_epochs=0,
        epoch_ranges=(f"1-{steps}",),
        segment_s=(1.0,),
        batch_multiplier=(1.0,),
    )
    schedule = replace(load_recipe(12).schedule, pct_start=pct_start)
    try:
        plan_epochs(one_step_an_epoch, GEOMETRY, 1, schedule)
    except BadInput as error:
        refusal = str(error)
    else:
        take_all_steps(schedule, steps)
        return
    assert "schedule.pct_start" in refusal
    with pytest.raises(ZeroDivisionError):
        take_all_steps(schedule, steps)


def take_all_steps(schedule: Schedule, steps: int) -> None:
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    rates = make_schedule("main", optimizer, steps, schedule)
    for _ in range(steps):
        optimizer.step()
        rates.step()


@pytest.mark.parametrize(("utterances", "refused"), [(1, True), (97, False)])
def test_a_plan_for_the_steps_there_are_is_checked(utterances: int, refused: bool) -> None:
    """One utterance is one step an epoch: ten in the main stage, of which a tenth rises."""
    schedule = replace(load_recipe(12).schedule, pct_start=0.1)
    shorter = replace(PHASE_12, epochs=11)
    if not refused:
        assert plan_epochs(shorter, GEOMETRY, utterances, schedule)
        return
    with pytest.raises(BadInput, match=r"schedule\.pct_start"):
        plan_epochs(shorter, GEOMETRY, utterances, schedule)
    cosine = replace(schedule, shape="cosine")
    assert plan_epochs(shorter, GEOMETRY, utterances, cosine)


@pytest.mark.parametrize(
    ("phase", "overrides", "refused"),
    [
        (10, {}, True),
        (12, {"model.heads": "24k", "checkpoint.best": "combined"}, True),
        (11, {}, False),
        (12, {}, False),
        ("base", {}, False),
        ("base", {"model.weights": "pretrained"}, True),
    ],
)
def test_a_warm_up_needs_new_layers(
    phase: int | str, overrides: dict[str, str], refused: bool
) -> None:
    settings = (overrides | {"curriculum.warmup_epochs": "1"}).items()
    if not refused:
        load_recipe(phase, settings)
        return
    with pytest.raises(BadInput, match=r"curriculum\.warmup_epochs"):
        load_recipe(phase, settings)
    load_recipe(phase, (overrides | {"curriculum.warmup_epochs": "0"}).items())
