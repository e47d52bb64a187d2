"""Discriminators: sizes as published, what they see, and their files."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from snac_common.errors import Failure
from snac_model.discriminators import (
    DiscriminatorConfig,
    Discriminators,
    load_discriminators,
    save_discriminators,
)
from snac_model.discriminators.band import BandDiscriminator
from snac_model.discriminators.period import PeriodDiscriminator

SMALL = DiscriminatorConfig(
    rates=(24_000, 48_000),
    periods=(2, 3),
    period_channels=(2, 4),
    window_sizes=(64,),
    band_edges=(0.0, 0.5, 1.0),
    band_channels=2,
)


def count(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def test_they_are_as_large_as_those_of_the_descript_audio_codec() -> None:
    config = DiscriminatorConfig(rates=(24_000,))
    assert count(PeriodDiscriminator(2, config.period_channels)) == 8_221_154
    bands = [
        BandDiscriminator(window, config.band_edges, config.band_channels)
        for window in config.window_sizes
    ]
    assert sum(map(count, bands)) == pytest.approx(1.41e6, rel=0.01)


@given(
    period=st.integers(2, 11),
    samples=st.integers(11, 200),
)
def test_a_period_is_looked_at_column_by_column(period: int, samples: int) -> None:
    """As plain one-dimensional convolutions of every period-th sample."""
    torch.manual_seed(0)
    discriminator = PeriodDiscriminator(period, (3, 4))
    audio = torch.randn(2, samples)
    maps = discriminator(audio)
    padded = F.pad(audio, (0, -samples % period))
    for column in range(period):
        x = padded[:, None, column::period]
        for layer, found in zip(discriminator.layers, maps[:-1], strict=True):
            assert isinstance(layer, torch.nn.Conv2d)
            weight, stride = layer.weight[..., 0], layer.stride[0]
            x = F.leaky_relu(F.conv1d(x, weight, layer.bias, stride, padding=2), 0.1)
            torch.testing.assert_close(found[..., column], x)
        last = discriminator.score
        x = F.conv1d(x, last.weight[..., 0], last.bias, padding=1)
        torch.testing.assert_close(maps[-1][..., column], x)


@pytest.mark.parametrize("window", [64, 128, 512, 2048])
def test_bands_hold_every_frequency_once(window: int) -> None:
    discriminator = BandDiscriminator(window, (0.0, 0.1, 0.25, 0.5, 0.75, 1.0), 2)
    bins = [bin for low, high in discriminator.bands for bin in range(low, high)]
    assert bins == list(range(window // 2 + 1))


def test_the_spectrum_is_that_of_the_plain_definition() -> None:
    discriminator = BandDiscriminator(64, (0.0, 1.0), 2)
    audio = torch.randn(3, 320, dtype=torch.float64)
    discriminator = discriminator.double()
    found = discriminator.spectrum(audio)
    window = 0.5 - 0.5 * torch.cos(2 * torch.pi * torch.arange(64, dtype=torch.float64) / 64)
    frames = F.pad(audio, (32, 32)).unfold(-1, 64, 16) * window
    expected = torch.fft.rfft(frames) / 8
    torch.testing.assert_close(found[:, 0], expected.real, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(found[:, 1], expected.imag, atol=1e-6, rtol=1e-5)


def test_items_are_judged_alone() -> None:
    torch.manual_seed(0)
    discriminators = Discriminators(SMALL, seed=0)
    audio = torch.randn(3, 700)
    together = discriminators(audio, 24_000)
    for item in range(3):
        alone = discriminators(audio[item : item + 1], 24_000)
        for maps, of_one in zip(together, alone, strict=True):
            for found, expected in zip(maps, of_one, strict=True):
                torch.testing.assert_close(found[item : item + 1], expected)


def test_a_seed_leaves_the_generator_as_it_was() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    one, other = Discriminators(SMALL, seed=0), Discriminators(SMALL, seed=0)
    assert torch.equal(torch.rand(1), expected)
    assert all(
        torch.equal(a, b)
        for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


def test_they_are_loaded_as_they_were_saved(tmp_path: Path) -> None:
    saved = Discriminators(SMALL, seed=3)
    save_discriminators(saved, tmp_path)
    loaded = load_discriminators(tmp_path)
    assert loaded.config == SMALL
    audio = torch.randn(2, 480)
    for rate in SMALL.rates:
        for maps, expected in zip(loaded(audio, rate), saved(audio, rate), strict=True):
            assert all(torch.equal(a, b) for a, b in zip(maps, expected, strict=True))


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="holds no discriminators"):
        load_discriminators(tmp_path)
    save_discriminators(Discriminators(SMALL, seed=0), tmp_path)
    config = json.loads((tmp_path / "discriminators.json").read_text())
    (tmp_path / "discriminators.json").write_text(json.dumps(config | {"periods": [2]}))
    with pytest.raises(Failure, match="does not hold the weights"):
        load_discriminators(tmp_path)
    (tmp_path / "discriminators.json").write_text(json.dumps(config | {"scales": [2]}))
    with pytest.raises(Failure, match="have the fields"):
        load_discriminators(tmp_path)


@pytest.mark.parametrize("edges", [(0.0,), (0.1, 1.0), (0.0, 0.9), (0.0, 0.6, 0.5, 1.0)])
def test_band_edges_rise_from_0_to_1(edges: tuple[float, ...]) -> None:
    with pytest.raises(Failure, match="must rise from 0 to 1"):
        DiscriminatorConfig(rates=(24_000,), band_edges=edges)
