"""The plan of epochs: every epoch once, whole stages, and segments of whole coarse tokens."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from training import SMALL_CODEC

from snac_common.errors import BadInput
from snac_model.geometry import Geometry
from snac_train.recipe.curriculum import describe, parse_ranges, plan_epochs, stage_steps
from snac_train.recipe.load import load_recipe

PHASE_12 = load_recipe(12).curriculum
GEOMETRY = replace(SMALL_CODEC().geometry, hop_length=512, output_rates=(24_000, 48_000))


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


def test_lists_of_unequal_length_are_refused() -> None:
    with pytest.raises(BadInput, match="equally long"):
        plan_epochs(replace(PHASE_12, segment_s=(1.0,)), GEOMETRY, 10)


@given(st.floats(0, 60))
def test_a_segment_is_the_nearest_whole_number_of_tokens(seconds: float) -> None:
    geometry: Geometry = GEOMETRY
    tokens = geometry.coarse_tokens(seconds)
    token_s = geometry.seconds(1)
    assert tokens >= 1
    assert tokens == 1 or abs(geometry.seconds(tokens) - seconds) <= token_s / 2 + 1e-9
