"""The losses against an independent computation, and the law of masks and batches."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snac_model.losses.reconstruction import MultiScaleSTFTLoss, ReconstructionLoss, l1_loss

SIZES = (256, 512)
Pair = tuple[torch.Tensor, torch.Tensor]


def signals(batch: int, num_samples: int, seed: int = 0) -> Pair:
    """Return prediction and target ``[B, T]``."""
    generator = torch.Generator().manual_seed(seed)
    target = 0.1 * torch.randn(batch, num_samples, generator=generator)
    return target + 0.05 * torch.randn(batch, num_samples, generator=generator), target


def full(signal: torch.Tensor) -> torch.Tensor:
    """Say that every sample is an item's own."""
    return torch.full((signal.shape[0],), signal.shape[-1])


def magnitudes(signal: np.ndarray, size: int) -> np.ndarray:
    """Magnitudes ``[frames, bins]`` of one signal: one windowed FFT after the other."""
    hop = size // 4
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    padded = np.pad(signal, size // 2)
    starts = range(0, len(signal) // hop * hop + 1, hop)
    frames = np.stack([padded[start : start + size] * window for start in starts])
    return np.maximum(np.abs(np.fft.rfft(frames)), 1e-5)


def expected_stft(prediction: np.ndarray, target: np.ndarray) -> float:
    """Spectral convergence plus log-magnitude L1, averaged over SIZES, in float64."""
    losses = []
    for size in SIZES:
        ours, theirs = magnitudes(prediction, size), magnitudes(target, size)
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
        quiet = 1e-3 * np.sqrt(theirs.size * (window**2).sum())
        convergence = np.linalg.norm(ours - theirs) / max(np.linalg.norm(theirs), quiet)
        losses.append(convergence + np.abs(np.log(ours) - np.log(theirs)).mean())
    return float(np.mean(losses))


@settings(max_examples=20)
@given(st.integers(1, 3000), st.integers(0, 3000), st.integers(0, 99))
def test_both_losses_are_what_numpy_computes_on_the_items_own_samples(
    own: int, padding: int, seed: int
) -> None:
    prediction, target = signals(1, own + padding, seed)
    loss = ReconstructionLoss(SIZES, l1_weight=2.0, stft_weight=0.5)
    parts = loss(prediction, target, torch.tensor([own]))
    ours, theirs = prediction[0, :own].double().numpy(), target[0, :own].double().numpy()
    assert parts["l1"].item() == pytest.approx(np.abs(ours - theirs).mean(), rel=1e-4)
    assert parts["stft"].item() == pytest.approx(expected_stft(ours, theirs), rel=1e-3)
    combined = 2.0 * parts["l1"] + 0.5 * parts["stft"]
    torch.testing.assert_close(parts["loss"], combined)


def test_equal_signals_lose_nothing_and_worse_ones_more() -> None:
    prediction, target = signals(2, 4000)
    loss = ReconstructionLoss(SIZES, 1.0, 1.0)
    equal = target.clone().requires_grad_()
    loss(equal, target, full(target))["loss"].sum().backward()
    assert equal.grad is not None
    assert equal.grad.isfinite().all()
    assert loss(target, target, full(target))["l1"].max() == 0
    assert loss(target, target, full(target))["stft"].max() < 1e-5
    near, far = (
        loss(target + scale * (prediction - target), target, full(target))["loss"]
        for scale in (0.5, 1.0)
    )
    assert (near < far).all()
    assert (near > 0.01).all()


def test_silence_gives_finite_losses_and_gradients() -> None:
    silence = torch.zeros(1, 2000)
    for prediction in (torch.zeros(1, 2000), 1e-3 * torch.ones(1, 2000)):
        prediction.requires_grad_()
        loss = ReconstructionLoss(SIZES, 1.0, 1.0)(prediction, silence, full(silence))["loss"]
        loss.sum().backward()
        assert loss.isfinite().all()
        assert prediction.grad is not None
        assert prediction.grad.isfinite().all()


def test_a_silent_target_does_not_outweigh_the_batch() -> None:
    speech, target = signals(1, 4000)
    hum = 1e-3 * torch.randn(1, 4000, generator=torch.Generator().manual_seed(1))
    loss = ReconstructionLoss(SIZES, 1.0, 1.0)
    silent = loss(hum, torch.zeros(1, 4000), full(hum))["loss"]
    assert silent < 10
    assert silent > loss(speech, target, full(speech))["loss"]


@settings(max_examples=20)
@given(st.integers(1, 2500), st.integers(0, 99))
def test_what_is_masked_has_no_influence_and_no_gradient(own: int, seed: int) -> None:
    prediction, target = signals(1, 2500, seed)
    other = prediction.clone()
    other[:, own:] = 100.0
    loss = ReconstructionLoss(SIZES, 1.0, 1.0)
    valid = torch.tensor([own])
    prediction.requires_grad_()
    value = loss(prediction, target, valid)["loss"]
    assert torch.equal(loss(other, target, valid)["loss"], value)
    value.sum().backward()
    assert prediction.grad is not None
    assert prediction.grad[:, own:].abs().max() == 0 if own < 2500 else True
    assert prediction.grad[:, :own].abs().max() > 0


@settings(max_examples=20)
@given(st.lists(st.integers(1, 2500), min_size=1, max_size=4), st.integers(0, 99))
def test_a_batchs_loss_is_that_of_its_items_alone(lengths: list[int], seed: int) -> None:
    prediction, target = signals(len(lengths), max(lengths), seed)
    loss = ReconstructionLoss(SIZES, 1.0, 1.0)
    together = loss(prediction, target, torch.tensor(lengths))
    for index, length in enumerate(lengths):
        ours, theirs = (signal[index : index + 1, :length] for signal in (prediction, target))
        alone = loss(ours, theirs, torch.tensor([length]))
        for name, value in together.items():
            torch.testing.assert_close(value[index], alone[name][0], rtol=1e-4, atol=1e-6)


def test_each_window_size_has_its_own_part() -> None:
    prediction, target = signals(2, 4000)
    loss = MultiScaleSTFTLoss(SIZES)
    parts = loss.by_size(prediction, target, full(target))
    assert list(parts) == list(SIZES)
    torch.testing.assert_close(
        loss(prediction, target, full(target)), (parts[256] + parts[512]) / 2
    )
    assert loss.state_dict() == {}


def test_losses_are_float32_whatever_comes_in() -> None:
    prediction, target = (signal.bfloat16() for signal in signals(2, 4000))
    loss = ReconstructionLoss(SIZES, 1.0, 1.0)
    parts = loss(prediction, target, full(target))
    expected = loss(prediction.float(), target.float(), full(target))
    for name, value in parts.items():
        assert value.dtype == torch.float32
        assert torch.equal(value, expected[name])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(prediction, target, full(target))
    assert all(torch.equal(inside[name], expected[name]) for name in parts)


def test_l1_of_a_known_difference() -> None:
    prediction = torch.tensor([[1.0, 2.0, 50.0], [0.0, 0.0, 3.0]])
    target = torch.zeros(2, 3)
    valid = torch.tensor([2, 3])
    assert l1_loss(prediction, target, valid).tolist() == [1.5, 1.0]
