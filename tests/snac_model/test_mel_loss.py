"""Multi-scale mel loss against the plain definition, and independent of what does not count."""

import numpy as np
import pytest
import torch

from snac_model.losses.mel import MultiScaleMelLoss

RATE = 24_000


def plain_log_mel(audio: np.ndarray, size: int) -> np.ndarray:
    """Log10 of Slaney's mel bands of Hann-windowed magnitudes: ``[bands, frames]``."""
    padded = np.pad(audio, size // 2)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    starts = range(0, len(audio) + 1, size // 4)
    frames = np.stack([padded[start : start + size] * window for start in starts])
    magnitudes = np.maximum(np.abs(np.fft.rfft(frames)), 1e-5)

    def mel(hertz: float) -> float:
        return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * np.log(hertz / 1000) / np.log(6.4)

    def hertz(mel: float) -> float:
        return mel * 200 / 3 if mel < 15 else 1000 * np.exp(np.log(6.4) / 27 * (mel - 15))

    count = size * 5 // 32
    edges = [hertz(each) for each in np.linspace(0, mel(RATE / 2), count + 2)]
    bins = np.linspace(0, RATE / 2, size // 2 + 1)
    bands = []
    for low, middle, high in zip(edges, edges[1:], edges[2:], strict=False):
        rise, fall = (bins - low) / (middle - low), (high - bins) / (high - middle)
        bands.append(np.maximum(0, np.minimum(rise, fall)) * 2 / (high - low))
    held = [band for band in bands if band.sum()]
    return np.log10(np.maximum(np.stack(held) @ magnitudes.T, 1e-5))


@pytest.mark.parametrize("size", [64, 256])
def test_it_is_the_plain_definition(size: int) -> None:
    random = np.random.default_rng(0)
    one, other = 0.1 * random.standard_normal((2, 960))
    expected = np.abs(plain_log_mel(one, size) - plain_log_mel(other, size)).mean()
    loss = MultiScaleMelLoss(RATE, [size])
    pair = (torch.tensor(audio, dtype=torch.float32)[None] for audio in (one, other))
    assert float(loss(*pair, torch.tensor([960]))) == pytest.approx(expected, rel=1e-3)


def test_what_lies_beyond_an_item_does_not_count() -> None:
    torch.manual_seed(0)
    loss = MultiScaleMelLoss(RATE, [64, 128])
    output, reference = torch.randn(2, 1, 2048)
    valid = torch.tensor([1024])
    expected = loss(output[:, :1024], reference[:, :1024], valid)
    output[:, 1024:], reference[:, 1024:] = 3.0, -2.0
    found = loss(output, reference, valid)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=0)
    both = loss(torch.cat([output, reference]), torch.cat([reference] * 2), valid.repeat(2))
    torch.testing.assert_close(both, torch.cat([found, torch.zeros(1)]))


def test_no_filter_is_empty() -> None:
    for rate in (24_000, 48_000):
        loss = MultiScaleMelLoss(rate, [64, 2048])
        assert all(
            (bands.sum(0) > 0).all() for name, bands in loss.named_buffers() if "bands" in name
        )
