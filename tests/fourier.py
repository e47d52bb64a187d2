"""Codecs with a Fourier decoder, small enough for tests."""

from typing import Any

import torch
from models import NARROW, liven, seeded

from snac_model.codec.fourier_from_base import with_fourier_decoder
from snac_model.codec.snac import SNAC
from snac_model.shapes.fourier_config import FourierConfig

BOTH = (24_000, 48_000)


def settings(rates: tuple[int, ...] = BOTH, **changed: Any) -> FourierConfig:
    """Return a narrow decoder's configuration."""
    narrow = {"dim": 8, "hidden": 16, "blocks": 2, "kernel": 7, "upsample": 2, "look_ahead": 3}
    return FourierConfig(rates, **{**narrow, **changed})


def fourier_model(rates: tuple[int, ...] = BOTH, base: SNAC | None = None, **changed: Any) -> SNAC:
    """Return a codec with random weights that all matter, in evaluation mode."""
    base = base or seeded(NARROW["24k"])
    torch.manual_seed(1)
    model = with_fourier_decoder(base, settings(rates, **changed))
    liven(model.decoder)
    with torch.no_grad():
        for name, value in model.decoder.named_parameters():
            if "blocks" in name or "linear" in name:  # phases turn, and nothing is left at zero
                value.add_(0.2 * torch.randn_like(value))
    return model.eval().requires_grad_(False)
