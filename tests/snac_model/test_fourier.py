"""The Fourier decoder: lengths, what depends on what, and what it leaves alone."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from fourier import BOTH, fourier_model, settings
from hypothesis import given
from hypothesis import settings as within
from hypothesis import strategies as st
from models import NARROW, codes, seeded

from snac_common.errors import Failure
from snac_model import DualHeadSNAC, load, no_noise, save
from snac_model.codec.dual_head import double_rate
from snac_model.codec.fourier_from_base import with_fourier_decoder
from snac_model.codec.initialisation import init_variance_preserving
from snac_model.codec.snac import SNAC
from snac_model.codec.weights import save_officially, weights_sha256
from snac_model.export.half import half_decoder
from snac_model.layers.segments import Segments

MODELS = {look_ahead: fourier_model(look_ahead=look_ahead) for look_ahead in range(4)}
SHAPES: list[dict[str, Any]] = [
    {},
    {"look_ahead": 0},
    {"look_ahead": 6},
    {"kernel": 3, "look_ahead": 1},
    {"upsample": 4, "blocks": 3},
    {"upsample": 1, "blocks": 1},
]


@given(st.integers(1, 9), st.integers(1, 3), st.sampled_from(sorted(MODELS)))
@within(deadline=None)
def test_every_length_gives_its_samples(tokens: int, batch: int, look_ahead: int) -> None:
    model = MODELS[look_ahead]
    audio = model.decode_by_rate(codes(model, tokens, batch))
    samples = {rate: model.geometry.sample_span(rate, 0, tokens).stop for rate in BOTH}
    assert {rate: value.shape for rate, value in audio.items()} == {
        rate: (batch, 1, count) for rate, count in samples.items()
    }


def frames_that_matter(model: SNAC, rate: int, sample: int, frames: int) -> tuple[int, int]:
    """Return the first and the last latent frame that a sample depends on, by gradient."""
    torch.manual_seed(0)
    latents = torch.randn(1, model.config.latent_channels, frames, requires_grad=True)
    model.decode_latents(latents)[rate][0, 0, sample].backward()
    assert latents.grad is not None
    own = latents.grad[0].abs().sum(0).nonzero()[:, 0]
    return int(own[0]), int(own[-1])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("rate", BOTH)
def test_the_context_is_what_gradients_say(shape: dict[str, Any], rate: int) -> None:
    model = fourier_model(**shape)
    reach = settings(**shape).reach
    assert model.geometry.decoder_context == max(reach)
    assert model.geometry.decoder_look_ahead == reach.after
    frame, frames = reach.before + 2, sum(reach) + 6
    samples = model.geometry.samples_per_frame(rate)
    first, _ = frames_that_matter(model, rate, frame * samples, frames)
    _, last = frames_that_matter(model, rate, (frame + 1) * samples - 1, frames)
    assert (frame - first, last - frame) == reach


def test_the_true_size_awaits_one_coarse_token() -> None:
    reach = settings(blocks=8).reach
    assert reach == (28, 4)
    assert settings(blocks=8, look_ahead=0).reach == (31, 1)


@torch.no_grad()
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_segments_are_those_of_whole_windows(shape: dict[str, Any]) -> None:
    model = fourier_model(**shape)
    latents = model.quantizer.from_codes(codes(model, 24, batch=3))
    segments = Segments(torch.tensor([0, 40, 80]), 16, 96)
    alone = model.decode_latents(latents, no_noise, segments)
    for rate, audio in model.decode_latents(latents, no_noise).items():
        samples = model.geometry.samples_per_frame(rate)
        for item, start in enumerate((0, 40, 80)):
            expected = audio[item, :, start * samples : (start + 16) * samples]
            torch.testing.assert_close(alone[rate][item], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dual", [False, True])
def test_the_tokens_are_the_bases(dual: bool, tmp_path: Path) -> None:
    base = seeded(NARROW["24k"])
    base = DualHeadSNAC.from_base(base) if dual else base
    model = fourier_model(base=base)
    save(model, tmp_path)
    kept = load(tmp_path)
    assert not kept.config.dual_head
    assert weights_sha256(kept.tokenizer_modules()) == weights_sha256(base.tokenizer_modules())
    audio = torch.randn(2, 1, 5_000)
    assert all(map(torch.equal, kept.encode(audio), base.encode(audio)))
    levels = codes(model, 3)
    assert all(map(torch.equal, kept.decode(levels), model.decode(levels)))
    described = json.loads((tmp_path / "config.json").read_text())["decoder"]
    assert described == settings().to_dict()


def test_one_rate_is_enough() -> None:
    model = fourier_model((24_000,))
    assert model.decode(codes(model, 2)).shape == (1, 1, 4_096)


def test_it_is_decoded_in_float32_whatever_the_trunk_is_in() -> None:
    model = fourier_model()
    levels = codes(model, 4)
    exact = model.decode_by_rate(levels)
    with torch.autocast("cpu", torch.bfloat16):
        rough = model.decode_by_rate(levels)
    for rate, audio in rough.items():
        assert audio.dtype == torch.float32
        assert 0 < (audio - exact[rate]).abs().max() < 0.1 * exact[rate].abs().max()


def test_a_loud_start_does_not_overflow() -> None:
    model = fourier_model()
    for name, value in model.decoder.named_parameters():
        if name.endswith("linear.bias"):
            value.fill_(1_000)
    assert all(audio.isfinite().all() for audio in model.decode(codes(model, 2)))


def test_half_weights_are_the_decoders_alone(tmp_path: Path) -> None:
    save(half_decoder(fourier_model()), tmp_path)
    kept = load(tmp_path)
    assert {weight.dtype for weight in kept.parameters()} == {torch.float32}
    model = fourier_model()
    assert weights_sha256(kept.tokenizer_modules()) == weights_sha256(model.tokenizer_modules())


def test_the_official_form_is_refused_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"official package has no fourier decoder.*safetensors"):
        save_officially(fourier_model(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_second_head_of_snacs_own_is_refused() -> None:
    with pytest.raises(Failure, match="all its outputs in 'rates'"):
        DualHeadSNAC(**NARROW["24k"].to_dict(), decoder=settings().to_dict())


@pytest.mark.parametrize("continued", [DualHeadSNAC.from_base, double_rate])
def test_no_block_is_put_after_it(continued: object) -> None:
    with pytest.raises(Failure, match="not a fourier one"):
        continued(fourier_model())  # type: ignore[operator]


def test_random_weights_leave_the_decoder_as_it_starts() -> None:
    torch.manual_seed(2)
    model = with_fourier_decoder(seeded(NARROW["24k"]), settings())
    before = weights_sha256([model.decoder])
    assert weights_sha256([init_variance_preserving(model).decoder]) == before


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("rates", [], "'rates' in the model's config.json are"),
        ("rates", [48_000, 24_000], "lowest first"),
        ("rates", "24000", "not a list of rates"),
        ("rates", [1_000], "not 2 even hops at 1000 Hz"),
        ("dim", 0, "'dim' in the model's config.json is 0"),
        ("dim", True, "'dim' in the model's config.json is True"),
        ("blocks", 10**6, "'blocks' in the model's config.json"),
        ("hidden", 2**16, "weights; none has more"),
        ("look_ahead", 7, "from 0 to 6"),
        ("look_ahead", -1, "from 0 to 6"),
        ("width", 3, "unknown 'width'"),
    ],
)
def test_a_decoder_that_cannot_be_is_refused(field: str, value: object, said: str) -> None:
    decoder = {**settings().to_dict(), "blocks": 8, field: value}
    if field == "hidden":
        decoder |= {"dim": 2**14}
    with pytest.raises(Failure, match=said):
        SNAC(**NARROW["24k"].to_dict(), decoder=decoder)
