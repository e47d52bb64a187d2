"""One walk through the levels, whatever is wanted of them."""

import torch
from models import NARROW, audio, seeded


def test_training_quantizes_as_encoding_does() -> None:
    model = seeded(NARROW["24k"])
    latents = model.encoder(model.preprocess(audio(9_000, batch=2)))
    summed, codes = model.quantizer(latents)
    trained = model.quantizer.quantize_for_training(latents)
    assert trained.latents.equal(summed)
    assert all(map(torch.equal, trained.codes, codes))
    torch.testing.assert_close(model.quantizer.from_codes(codes), summed, rtol=0, atol=1e-5)


def test_each_level_gets_what_the_ones_before_it_left() -> None:
    model = seeded(NARROW["24k"])
    latents = torch.randn(1, model.config.latent_channels, 8)
    seen: list[torch.Tensor] = []

    def halve(_: object, left: torch.Tensor) -> torch.Tensor:
        seen.append(left)
        return left / 2

    total = model.quantizer.through_levels(latents, halve)
    assert [left.equal(latents / 2**level) for level, left in enumerate(seen)] == [True] * 3
    torch.testing.assert_close(total, latents * 7 / 8)
