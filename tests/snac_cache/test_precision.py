"""Whatever the precision, resampling and the quantizer compute in float32."""

from collections.abc import Callable, Iterator

import pytest
import torch
from models import NARROW, audio, seeded

from snac_cache.encoding.encoder import Audio, UtteranceEncoder
from snac_cache.encoding.precision import arithmetic
from snac_cache.encoding.request import Precision
from snac_model.audio import resampling

CPU = torch.device("cpu")
State = tuple[torch.dtype, bool, bool, bool]


def state(tensor: torch.Tensor) -> State:
    """Return what decides the arithmetic: the type, autocast, and TF32 of both kinds."""
    return (
        tensor.dtype,
        torch.is_autocast_enabled("cpu"),
        torch.backends.cudnn.allow_tf32,
        torch.backends.cuda.matmul.allow_tf32,
    )


@pytest.fixture
def tf32_allowed() -> Iterator[None]:
    """TF32 is allowed for products of matrices, as a user may have it."""
    torch.backends.cuda.matmul.allow_tf32 = True
    yield
    torch.backends.cuda.matmul.allow_tf32 = False


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_only_the_encoder_computes_in_less_than_float32(
    precision: Precision, tf32_allowed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = UtteranceEncoder(seeded(NARROW["24k"]), CPU, precision)
    seen: dict[str, State] = {}
    encoder.model.encoder.register_forward_pre_hook(
        lambda _, given: seen.setdefault("encoder", state(given[0])) and None
    )
    encoder.model.quantizer.register_forward_pre_hook(
        lambda _, given: seen.setdefault("quantizer", state(given[0])) and None
    )
    apply: Callable[..., torch.Tensor] = resampling.SincResampler.apply

    def watched(self: resampling.SincResampler, samples: torch.Tensor) -> torch.Tensor:
        seen["resampling"] = state(samples)
        return apply(self, samples)

    monkeypatch.setattr(resampling.SincResampler, "apply", watched)
    encoder.start([Audio(audio(48_000)[0, 0], 48_000)])
    exact = (torch.float32, False, False, False)
    assert seen["resampling"] == seen["quantizer"] == exact
    assert seen["encoder"] == (
        torch.float32,  # of its input
        precision == "bf16",
        precision == "tf32",
        precision == "tf32",
    )


def test_codebooks_are_searched_in_float32_within_bf16() -> None:
    encoder = UtteranceEncoder(seeded(NARROW["24k"]), CPU, "bf16")
    types = []
    for quantizer in encoder.model.quantizer.levels:
        quantizer.in_proj.register_forward_hook(lambda _, __, found: types.append(found.dtype))
    encoder.start([Audio(audio(24_000)[0, 0], 24_000)])
    assert types == [torch.float32] * 3


def test_settings_are_as_before_afterwards() -> None:
    before = state(torch.zeros(1))
    for precision in ("fp32", "tf32", "bf16"):
        with pytest.raises(KeyError), arithmetic(precision, CPU):
            raise KeyError
        assert state(torch.zeros(1)) == before
