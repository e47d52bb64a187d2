"""The dual head starts where the pretrained decoder is (invariant 3)."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from models import NARROW, audio, codes, seeded
from torch import nn

from snac_common.errors import Failure
from snac_model import load, save
from snac_model.codec.dual_head import DualHeadSNAC, double_rate
from snac_model.codec.snac import SNAC
from snac_model.layers.convolutions import Snake
from snac_model.layers.noise import NoiseSource, RandomNoise, SeededNoise, no_noise

NAMES = ["24k", "32k", "default"]


def noises() -> list[NoiseSource]:
    """Noise sources that give the same noise each time this is called."""
    return [RandomNoise(torch.Generator().manual_seed(3)), SeededNoise([7, 8]), no_noise]


def assert_same_24k(base: SNAC, dual: DualHeadSNAC) -> None:
    levels = codes(base, 4, batch=2)
    for ours, theirs in zip(noises(), noises(), strict=True):
        assert torch.equal(dual.decode(levels, ours)[0], base.decode(levels, theirs))


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_first_output_is_the_bases_bit_for_bit(name: str) -> None:
    base = seeded(NARROW[name])
    dual = DualHeadSNAC.from_base(base)
    assert_same_24k(base, dual)
    assert not dual.training
    torch.manual_seed(1)
    (first, second), levels = dual(audio(20_001))
    torch.manual_seed(1)
    expected, expected_levels = base(audio(20_001))
    assert torch.equal(first, expected)
    assert second.shape[-1] == 2 * 20_001
    assert all(map(torch.equal, levels, expected_levels))


@torch.no_grad()
def test_it_follows_the_bases_final_snake_and_tanh() -> None:
    base = seeded(NARROW["24k"])
    levels = codes(base, 6)
    before = base.decode(levels, no_noise)
    snake, convolution, _ = base.decoder.head
    assert isinstance(snake, Snake)
    assert isinstance(convolution, nn.Conv1d)
    snake.alpha.mul_(3)
    convolution.weight = 30 * convolution.weight
    changed = base.decode(levels, no_noise)
    assert (changed - before).abs().max() > 1e-3
    assert 0.99 < changed.abs().max() <= 1
    dual = DualHeadSNAC.from_base(base)
    assert torch.equal(dual.decode(levels, no_noise)[0], changed)
    assert dual.decode(levels, no_noise)[1].abs().max() <= 1


def weighted_layers(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Every weight, bias and Snake frequency as the layers use it, in order."""
    for layer in module.modules():
        if isinstance(layer, Snake):
            yield "alpha", layer.alpha
        if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d):
            yield "weight", layer.weight
            if layer.bias is not None:
                yield "bias", layer.bias


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_second_head_starts_from_the_effective_weights_of_the_last_block(name: str) -> None:
    base = seeded(NARROW[name])
    dual = DualHeadSNAC.from_base(base).fold_weight_norm()  # what is left is what convolves
    pairs = [
        (dual.head_48k.block, base.decoder.blocks[-1]),
        (dual.head_48k.final, base.decoder.head),
    ]
    for ours, theirs in pairs:
        for (kind, value), (_, source) in zip(
            weighted_layers(ours), weighted_layers(theirs), strict=True
        ):
            leading = source[tuple(slice(size) for size in value.shape)]
            assert kind == "alpha" or value.abs().max() > 0
            torch.testing.assert_close(value, leading, rtol=0, atol=1e-6)


@torch.no_grad()
def test_second_output_depends_on_what_was_copied() -> None:
    base = seeded(NARROW["24k"])
    levels = codes(base, 6)
    dual = DualHeadSNAC.from_base(base)
    fresh = DualHeadSNAC(**base.config.to_dict()).eval()
    fresh.load_state_dict(base.state_dict(), strict=False)
    copied, random = (model.decode(levels, no_noise)[1] for model in (dual, fresh))
    assert (copied - random).abs().max() > 1e-3
    again = DualHeadSNAC.from_base(base).decode(levels, no_noise)[1]
    assert torch.equal(copied, again)  # nothing of the new head is left to chance


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_one_head_at_twice_the_rate_is_the_dual_heads_second(name: str) -> None:
    base = seeded(NARROW[name])
    model = double_rate(base)
    assert model.geometry.output_rates == (2 * base.geometry.output_rates[0],)
    levels = codes(base, 8)
    second = DualHeadSNAC.from_base(base).decode(levels, SeededNoise(3))[1]
    assert torch.equal(model.decode(levels, SeededNoise(3)), second)
    assert all(map(torch.equal, model.encode(audio(9_000)), base.encode(audio(9_000))))


@torch.no_grad()
@pytest.mark.parametrize("extend", [DualHeadSNAC.from_base, double_rate])
def test_new_layers_may_start_at_random(extend: Callable[..., SNAC]) -> None:
    base = seeded(NARROW["24k"])
    copied = extend(base)
    torch.manual_seed(1)
    fresh = extend(base, copied=False)
    torch.manual_seed(1)
    again = extend(base, copied=False)
    for name, value in fresh.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert not torch.equal(outputs(fresh)[-1], outputs(copied)[-1])
    if len(outputs(fresh)) > 1:
        assert torch.equal(outputs(fresh)[0], outputs(copied)[0])


def outputs(model: SNAC) -> list[torch.Tensor]:
    return list(model.decode_by_rate(codes(model, 4), no_noise).values())


@pytest.mark.parametrize("extend", [DualHeadSNAC.from_base, double_rate])
def test_new_weights_have_memory_of_their_own(extend: Callable[..., SNAC]) -> None:
    """Torch's fused optimizers update a parameter that is a view wrongly, and say nothing."""
    for value in extend(seeded(NARROW["24k"])).parameters():
        assert value.is_contiguous()


@torch.no_grad()
def test_writing_into_a_parametrized_weight_changes_nothing() -> None:
    """Why the tests above read effective weights: the faulty copy is silent."""
    dual = DualHeadSNAC.from_base(seeded(NARROW["24k"]))
    layer = dual.head_48k.block.block[1]
    assert isinstance(layer, nn.ConvTranspose1d)
    before = layer.weight.clone()
    layer.weight.copy_(torch.ones_like(before))
    layer.weight.data.copy_(torch.ones_like(before))
    assert torch.equal(layer.weight, before)
    layer.weight = torch.ones_like(before)
    torch.testing.assert_close(layer.weight, torch.ones_like(before))


def test_only_a_base_with_weight_norm_is_taken() -> None:
    with pytest.raises(ValueError, match="weight norm"):
        DualHeadSNAC.from_base(seeded(NARROW["24k"]).fold_weight_norm())


@torch.no_grad()
def test_the_base_is_left_alone() -> None:
    base = seeded(NARROW["24k"])
    before = deepcopy(base.state_dict())
    dual = DualHeadSNAC.from_base(base)
    for value in dual.parameters():
        value.zero_()
    assert all(torch.equal(before[name], value) for name, value in base.state_dict().items())


@torch.no_grad()
@pytest.mark.parametrize("dual", [False, True])
def test_saved_models_come_back_whole(tmp_path: Path, dual: bool) -> None:
    base = seeded(NARROW["32k"])
    model = DualHeadSNAC.from_base(base) if dual else base
    save(model, tmp_path)
    loaded = load(tmp_path)
    assert type(loaded) is type(model)
    assert loaded.config == model.config
    state = loaded.state_dict()
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert type(type(model).from_pretrained(tmp_path)) is type(model)
    other = SNAC if dual else DualHeadSNAC
    with pytest.raises(Failure, match=f"is no {other.__name__}: it has"):
        other.from_pretrained(tmp_path)


def test_a_configuration_with_two_heads_is_no_plain_snac(tmp_path: Path) -> None:
    save(DualHeadSNAC.from_base(seeded(NARROW["24k"])), tmp_path)
    with pytest.raises(Failure, match="DualHeadSNAC"):
        SNAC.from_config(tmp_path / "config.json")
    assert DualHeadSNAC.from_config(tmp_path / "config.json").config.dual_head
