"""What discriminators add to a decoder's losses, and what they learn from."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from whole_runs import adversarial_recipe

from snac_model.discriminators import Discriminators
from snac_train.training.adversary import (
    DiscriminatorObjective,
    Heard,
    Opponent,
    Scores,
    config_of,
    levelled,
)

RECIPE = adversarial_recipe()
DISCRIMINATORS = Discriminators(config_of(RECIPE), seed=0)
OPPONENT = Opponent(DISCRIMINATORS, RECIPE.adversarial)


def pair(items: int = 3, samples: int = 600, seed: int = 0) -> Heard:
    generator = torch.Generator().manual_seed(seed)
    output, reference = 0.1 * torch.randn(2, items, samples, generator=generator)
    return Heard(output, reference, torch.full((items,), samples))


def test_the_least_squares_are_those_of_the_scores() -> None:
    heard = pair(1)
    level = heard.reference.pow(2).mean().sqrt()
    real, fake = (
        [maps[-1].mean((1, 2, 3)) for maps in DISCRIMINATORS(audio / level, 24_000)]
        for audio in (heard.reference, heard.output)
    )
    squares = [
        (maps[-1] - 1).pow(2).mean() for maps in DISCRIMINATORS(heard.output / level, 24_000)
    ]
    terms = OPPONENT.terms("24k", heard)
    torch.testing.assert_close(terms["adversarial"][0], torch.stack(squares).mean())
    scores = Scores(DISCRIMINATORS).losses("24k", *heard)
    torch.testing.assert_close(scores["real"], torch.stack(real).mean(0))
    torch.testing.assert_close(scores["fake"], torch.stack(fake).mean(0))
    losses = DiscriminatorObjective(DISCRIMINATORS)({"24k": heard})
    torch.testing.assert_close(losses["24k/real"], scores["real"])
    wrong = [
        (of_real[-1] - 1).pow(2).mean() + of_fake[-1].pow(2).mean()
        for of_real, of_fake in zip(
            DISCRIMINATORS(heard.reference / level, 24_000),
            DISCRIMINATORS(heard.output / level, 24_000),
            strict=True,
        )
    ]
    torch.testing.assert_close(losses["24k/discriminators"][0], torch.stack(wrong).mean())


def test_equal_signals_have_equal_features() -> None:
    heard = pair()
    same = heard._replace(output=heard.reference)
    assert OPPONENT.terms("24k", same)["features"].abs().max() == 0
    assert OPPONENT.terms("24k", heard)["features"].min() > 0.1


@settings(max_examples=20)
@given(level=st.floats(0.02, 10), own=st.integers(100, 599))
def test_neither_level_nor_what_lies_beyond_decides(level: float, own: int) -> None:
    heard = pair()._replace(valid=torch.tensor([own, 600, 300]))
    expected = OPPONENT.terms("24k", heard)
    beyond = torch.arange(600) >= heard.valid[:, None]
    louder = Heard(
        torch.where(beyond, 7.0, level * heard.output),
        torch.where(beyond, -3.0, level * heard.reference),
        heard.valid,
    )
    found = OPPONENT.terms("24k", louder)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-4)


def test_a_level_that_is_wrong_can_be_heard() -> None:
    heard = pair()
    found = levelled(heard._replace(output=3 * heard.reference))
    torch.testing.assert_close(found.output, 3 * found.reference)
    torch.testing.assert_close(found.reference.pow(2).mean(1), torch.ones(3))


def test_items_do_not_change_each_other() -> None:
    heard = pair()._replace(valid=torch.tensor([600, 400, 500]))
    together = OPPONENT.terms("48k", heard)
    for item in range(3):
        alone = OPPONENT.terms("48k", Heard(*(each[item : item + 1] for each in heard)))
        for name, value in alone.items():
            torch.testing.assert_close(together[name][item : item + 1], value)


def test_means_do_not_grow_with_the_number_of_discriminators() -> None:
    heard = pair()
    config = config_of(RECIPE)
    one = Discriminators(replace(config, periods=(2,), window_sizes=()), seed=0)
    two = Discriminators(replace(config, periods=(2, 2), window_sizes=()), seed=0)
    for name in ("24000", "48000"):
        for copy in two.sets[name].children():
            copy.load_state_dict(next(one.sets[name].children()).state_dict())
    of_one, of_two = (Opponent(each, RECIPE.adversarial).terms("24k", heard) for each in (one, two))
    for name, value in of_one.items():
        torch.testing.assert_close(of_two[name], value)


def test_the_decoder_gets_a_gradient_and_the_discriminators_none() -> None:
    heard = pair()
    output = heard.output.requires_grad_()
    losses = OPPONENT.losses("24k", output, heard.reference, heard.valid)
    (losses["adversarial"] + losses["features"]).sum().backward()
    assert output.grad is not None
    assert output.grad.abs().sum() > 0
    assert all(weight.grad is None for weight in DISCRIMINATORS.parameters())


def test_what_was_heard_has_no_way_back_to_the_decoder() -> None:
    heard = pair()
    output = heard.output.requires_grad_()
    OPPONENT.losses("24k", output, heard.reference, heard.valid)
    losses = DiscriminatorObjective(DISCRIMINATORS)(OPPONENT.take())
    losses["24k/discriminators"].sum().backward()
    assert output.grad is None
    gradients = [weight.grad for weight in DISCRIMINATORS.sets["24000"].parameters()]
    assert all(gradient is not None for gradient in gradients)
    DISCRIMINATORS.zero_grad()
    assert not OPPONENT.take()


def test_discriminators_work_in_float32_whatever_the_trunk_does() -> None:
    heard = pair()
    half = heard._replace(output=heard.output.bfloat16())
    found = OPPONENT.terms("24k", half)
    expected = OPPONENT.terms("24k", heard._replace(output=half.output.float()))
    for name, value in expected.items():
        assert found[name].dtype == torch.float32
        assert torch.equal(found[name], value)


def test_nothing_is_said_where_no_gradient_is_wanted() -> None:
    with torch.no_grad():
        assert not OPPONENT.losses("24k", *pair())
    assert list(OPPONENT.take()) == ["24k"]


@pytest.mark.parametrize("heads", ["24k", "48k", "24k,48k"])
def test_there_is_a_set_for_each_head_that_is_judged(heads: str) -> None:
    recipe = adversarial_recipe(adversarial__heads=heads)
    rates = {"24k": 24_000, "48k": 48_000}
    assert config_of(recipe).rates == tuple(rates[head] for head in heads.split(","))
