"""A fresh classifier tells what is spoiled, and cannot tell what is not."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from spoiled import WAYS, Signal, breathy

from snac_eval.measuring.two_sample import TwoSample, train_two_sample
from snac_eval.metrics.frames import Frames, frames_of
from snac_eval.metrics.pairs import NoValue, Pair

RATE, COUNT = 24000, 12


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snac_eval.measuring.two_sample.STEPS", 60)


def frames_with(change: Callable[[Signal, int], Signal]) -> list[Frames]:
    """Utterances whose outputs are changed references."""
    references = [breathy(1, RATE, seed) for seed in range(COUNT)]
    return [
        frames_of(
            str(number), "model", Pair.of(change(reference, number), reference, RATE), patches=True
        )
        for number, reference in enumerate(references)
    ]


def trained(frames: list[Frames], seed: int = 0) -> TwoSample:
    def read() -> Iterator[Frames]:
        return iter(frames)

    return train_two_sample(read, ("model", RATE), seed)


def accuracies(frames: list[Frames], seed: int = 0) -> list[float]:
    found = trained(frames, seed)
    return [found.value(one) for one in frames]


def accuracy(frames: list[Frames]) -> float:
    return float(np.mean(accuracies(frames)))


ONE, *OTHERS = WAYS


@pytest.mark.parametrize(
    "way", [ONE, *(pytest.param(way, marks=pytest.mark.campaign) for way in OTHERS)]
)
def test_what_is_spoiled_is_told(way: str) -> None:
    assert accuracy(frames_with(lambda audio, _: WAYS[way](audio, RATE))) > 0.65


def test_other_speech_of_the_same_kind_is_not_told() -> None:
    frames = frames_with(lambda audio, number: breathy(1, RATE, 100 + number))
    assert accuracy(frames) == pytest.approx(0.5, abs=0.15)


def test_the_recording_itself_is_at_chance_exactly() -> None:
    assert accuracy(frames_with(lambda audio, _: audio)) == 0.5


def test_no_network_meets_the_utterances_that_it_judges() -> None:
    """Each utterance is marked in a way of its own, which only a network that met it knows."""
    frames = frames_with(lambda audio, number: breathy(1, RATE, 100 + number))
    random = np.random.default_rng(0)
    marked = []
    for one in frames:
        assert one.patches is not None
        patches = one.patches.copy()
        mark = random.normal(size=(1, 40, 1)).astype(np.float16)
        patches += np.stack([mark, -mark])
        marked.append(Frames(one.utterance_id, "model", RATE, one.moments, patches))
    found = trained(marked)
    assert sorted(found.folds.values()) == [0] * 6 + [1] * 6
    told = {"own": 0.0, "other": 0.0}
    for one in marked:
        told["other"] += found.value(one) / COUNT
        swapped = TwoSample(found.folds, found.classifiers[::-1])
        told["own"] += swapped.value(one) / COUNT
    assert told["own"] > told["other"] + 0.2


def test_it_depends_on_the_seed_alone() -> None:
    frames = frames_with(lambda audio, number: breathy(1, RATE, 100 + number))
    torch.manual_seed(1)
    first = accuracies(frames)
    torch.manual_seed(2)
    before = torch.rand(1)
    torch.manual_seed(2)
    assert accuracies(frames) == first
    assert torch.rand(1) == before, "others draw what they would have drawn"
    assert accuracies(frames, 1) != first


def test_a_single_utterance_is_at_chance() -> None:
    frames = frames_with(lambda audio, _: 0.1 * audio)[:1]
    assert trained(frames).value(frames[0]) == 0.5


def test_what_is_too_short_says_why() -> None:
    short = breathy(1, RATE)[8000:12000]
    with pytest.raises(NoValue, match="fewer than 32 frames"):
        frames_of("a", "model", Pair.of(short, short, RATE), patches=True)
