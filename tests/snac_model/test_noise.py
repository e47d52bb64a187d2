"""Noise that is a pure function of seed, block and position."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import NARROW, codes, seeded

from snac_model.codec.dual_head import DualHeadSNAC
from snac_model.layers.noise import RandomNoise, SeededNoise, no_noise, seed_tensor

seeds = st.integers(-(2**63), 2**64 - 1)
blocks = st.integers(0, 5)


def draw(seed: int, block: int, length: int, channels: int = 1) -> torch.Tensor:
    """Noise ``[length]`` of one item."""
    return SeededNoise(seed)(torch.zeros(1, channels, length), block)[0, 0]


@given(st.lists(seeds, min_size=1, max_size=4), blocks, st.integers(1, 400), st.integers(1, 400))
def test_noise_does_not_depend_on_batch_length_channels_or_order(
    batch: list[int], block: int, length: int, other_length: int
) -> None:
    source = SeededNoise(batch)
    source(torch.zeros(len(batch), 1, other_length), block + 1)
    together = source(torch.zeros(len(batch), 3, length), block)
    assert together.shape == (len(batch), 1, length)
    for seed, item in zip(batch, together[:, 0], strict=True):
        longer = draw(seed, block, length + other_length, channels=7)
        assert torch.equal(item, longer[:length])


@given(st.lists(seeds, min_size=1, max_size=4), blocks, st.integers(0, 2**40))
def test_seeds_are_the_same_as_a_tensor(batch: list[int], block: int, start: int) -> None:
    features = torch.zeros(len(batch), 2, 30)
    wrapped = np.array([seed % 2**64 for seed in batch], np.uint64).view(np.int64)
    tensors = SeededNoise(torch.from_numpy(wrapped)), SeededNoise(seed_tensor(batch))
    for source in tensors:
        assert source(features, block, start).equal(SeededNoise(batch)(features, block, start))


def test_no_tensor_is_made_of_python_numbers_while_decoding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a GPU each would wait for all that was asked of it before."""
    source, features = SeededNoise([1, 2]), torch.zeros(2, 2, 30)
    source(features, 0)
    monkeypatch.setattr(torch, "tensor", lambda *_, **__: pytest.fail("a tensor was made"))
    source(features, 1)


def test_one_seed_serves_a_whole_batch() -> None:
    noise = SeededNoise(4)(torch.zeros(3, 2, 50), 0)
    assert noise.shape == (3, 1, 50)
    assert torch.equal(noise[0], noise[2])


def test_a_wrong_number_of_seeds_is_an_error() -> None:
    with pytest.raises(RuntimeError):
        SeededNoise([1, 2])(torch.zeros(3, 2, 50), 0)


@settings(max_examples=20)
@given(seeds, blocks)
def test_noise_is_standard_normal_and_white(seed: int, block: int) -> None:
    length = 2**16
    noise = draw(seed, block, length).double()
    assert abs(noise.mean()) < 6 / length**0.5
    assert abs(noise.std() - 1) < 6 / (2 * length) ** 0.5
    assert abs((noise**3).mean()) < 6 * (15 / length) ** 0.5
    assert abs((noise**4).mean() - 3) < 6 * (96 / length) ** 0.5
    spectrum = torch.fft.rfft(noise, 2 * length).abs() ** 2
    correlation = torch.fft.irfft(spectrum)[1 : length // 2] / length
    assert correlation.abs().max() < 6.5 / length**0.5


@settings(max_examples=50)
@given(st.tuples(seeds, blocks), st.tuples(seeds, blocks))
def test_other_seeds_and_other_blocks_have_other_noise(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    same_stream = first[0] % 2**64 == second[0] % 2**64 and first[1] == second[1]
    a, b = draw(*first, 4096).double(), draw(*second, 4096).double()
    if same_stream:
        assert torch.equal(a, b)
    else:
        assert abs(torch.corrcoef(torch.stack([a, b]))[0, 1]) < 6.5 / 4096**0.5


def test_neighbouring_seeds_are_independent() -> None:
    noise = torch.stack([draw(seed, 0, 4096) for seed in range(64)])
    correlation = torch.corrcoef(noise) - torch.eye(64)
    assert correlation.abs().max() < 6.5 / 4096**0.5


def test_the_stream_is_fixed_for_good() -> None:
    """Validation numbers of different versions are compared: the noise must not change."""
    expected = torch.tensor([-0.361334, 0.336012, 1.487833, 0.105012, -0.446723])
    torch.testing.assert_close(draw(42, 1, 5), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_noise_has_the_features_dtype(dtype: torch.dtype) -> None:
    noise = SeededNoise(1)(torch.zeros(1, 2, 100, dtype=dtype), 0)
    assert noise.dtype == dtype
    assert torch.equal(noise[0, 0], draw(1, 0, 100).to(dtype))


@pytest.mark.gpu
def test_noise_is_the_same_on_a_gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    on_gpu = SeededNoise([5, 6])(torch.zeros(2, 2, 10_000, device="cuda"), 3)
    assert torch.equal(on_gpu.cpu(), SeededNoise([5, 6])(torch.zeros(2, 2, 10_000), 3))


@torch.no_grad()
def test_seeded_decoding_repeats_itself_whatever_the_batch() -> None:
    model = DualHeadSNAC.from_base(seeded(NARROW["24k"]))
    levels = codes(model, 5, batch=3)
    together = model.decode(levels, SeededNoise([1, 2, 3]))
    torch.randn(10)
    assert all(map(torch.equal, together, model.decode(levels, SeededNoise([1, 2, 3]))))
    for item, seed in enumerate([1, 2, 3]):
        alone = model.decode([level[item : item + 1] for level in levels], SeededNoise(seed))
        for one, many in zip(alone, together, strict=True):
            torch.testing.assert_close(one[0], many[item], rtol=0, atol=1e-6)


@torch.no_grad()
def test_noise_is_heard_and_can_be_switched_off() -> None:
    model = seeded(NARROW["24k"])
    levels = codes(model, 5)
    silent = model.decode(levels, no_noise)
    assert torch.equal(silent, model.decode(levels, no_noise))
    first, second = (model.decode(levels, SeededNoise(seed)) for seed in (1, 2))
    assert (first - silent).abs().max() > 1e-4
    assert (first - second).abs().max() > 1e-4


@torch.no_grad()
def test_random_noise_follows_its_generator_or_the_global_one() -> None:
    features = torch.zeros(2, 3, 100)
    torch.manual_seed(9)
    expected = torch.randn(2, 1, 100)
    torch.manual_seed(9)
    assert torch.equal(RandomNoise()(features, 0), expected)
    torch.manual_seed(1)
    assert torch.equal(RandomNoise(torch.Generator().manual_seed(9))(features, 0), expected)


def test_noise_drawn_in_inference_mode_serves_training_later() -> None:
    model = seeded(NARROW["24k"]).train()
    levels = codes(model, 2)
    with torch.inference_mode():
        model.decode(levels, SeededNoise(1))
    model.decode(levels, SeededNoise(1)).pow(2).mean().backward()
