"""Encoding, decoding and evaluation leave no tensor on the processor that a GPU computes with."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from fake_gpu import CUDA, fake_gpu
from models import NARROW

from snac_cache.encoding import encoder as encoder_module
from snac_cache.encoding.encoder import Audio, UtteranceEncoder
from snac_cache.encoding.request import Precision
from snac_cache.encoding.upload import codec_input
from snac_eval.models.decoding import Decoder
from snac_eval.models.evaluated import LoadedModel, ModelSource
from snac_model.audio.resampling import sinc_resampler
from snac_model.codec.dual_head import DualHeadSNAC
from snac_model.codec.snac import SNAC
from snac_model.codec.streaming import StreamingDecoder
from snac_model.layers.noise import NoiseSource, RandomNoise, SeededNoise, no_noise
from snac_model.layers.segments import Segments
from snac_model.shapes.geometry import Geometry

COARSE = 16


def made(config: str = "24k", *, dual: bool = False) -> SNAC:
    """Return a model; it is on the processor until it is moved."""
    settings = replace(NARROW[config], dual_head=dual).to_dict()
    return (DualHeadSNAC if dual else SNAC)(**settings).eval()


def codes(geometry: Geometry, device: torch.device = CUDA) -> list[torch.Tensor]:
    """Return codes of no particular value."""
    counts = [COARSE * per_coarse for per_coarse in geometry.tokens_per_coarse]
    return [torch.zeros(1, count, dtype=torch.int64, device=device) for count in counts]


def on_gpu(tensors: object) -> bool:
    """Say whether all tensors in a list or tuple are on the GPU."""
    assert isinstance(tensors, list | tuple)
    return all(tensor.device == CUDA for tensor in tensors)


@pytest.mark.parametrize(
    ("config", "precision"), [("24k", "tf32"), ("24k", "bf16"), ("44k", "fp32")]
)
def test_encoding(config: str, precision: Precision) -> None:
    """Batches that mix rates, resampled on the GPU."""
    with fake_gpu():
        encoder = UtteranceEncoder(made(config), CUDA, precision)
        batch = [Audio(torch.zeros(rate), rate) for rate in (48000, 44100, 24000, 48000)]
        found = encoder.codes_of_batch(batch)
        (started,) = encoder.start(batch)
    coarse, *_ = encoder.geometry.encoded_tokens(encoder.geometry.sample_rate)
    shape = (4, coarse * sum(encoder.geometry.tokens_per_coarse))
    assert (found.shape, found.device, found.dtype) == (shape, CUDA, torch.int32)
    assert started.codes is not None
    assert (started.codes.shape, started.codes.device.type) == (shape, "cpu")


def test_resampling_is_on_the_gpu() -> None:
    geometry = Geometry.of(NARROW["24k"])
    with fake_gpu():
        prepared = codec_input([torch.zeros(48_000)], [48_000], geometry, CUDA)
    assert (prepared.shape, prepared.device) == ((1, 1, 24_576), CUDA)


def test_encoding_of_any_length() -> None:
    with fake_gpu():
        model = made().to(CUDA)
        levels = model.encode_long([torch.zeros(24_000)] * 12)
        assert on_gpu(levels)


def test_decoding_of_segments() -> None:
    with fake_gpu():
        model = made(dual=True).to(CUDA)
        latents = model.quantizer.from_codes(codes(model.geometry))
        starts = torch.zeros(len(latents), dtype=torch.int64, device=CUDA)
        segments = Segments(starts, 4, latents.shape[-1])
        audio = model.decode_latents(latents, SeededNoise(7), segments)
        assert on_gpu(list(audio.values()))
        assert [part.shape[-1] for part in audio.values()] == [4 * 512, 8 * 512]


@pytest.mark.parametrize(
    ("config", "dual", "make_noise"),
    [
        ("24k", True, RandomNoise),
        ("24k", True, lambda: SeededNoise(7)),
        ("44k", False, lambda: SeededNoise(7)),
    ],
)
def test_decoding(config: str, dual: bool, make_noise: Callable[[], NoiseSource]) -> None:
    with fake_gpu():
        noise = make_noise()
        model = made(config, dual=dual).to(CUDA)
        assert on_gpu(list(model.decode_by_rate(codes(model.geometry), noise).values()))
        folded = model.fold_weight_norm()
        audio, levels = folded(torch.zeros(1, 1, 30_000, device=CUDA), noise)
        assert on_gpu(levels)
        assert on_gpu(audio if dual else [audio])


@pytest.mark.parametrize("dual", [pytest.param(False, marks=pytest.mark.campaign), True])
def test_streaming(dual: bool) -> None:
    with fake_gpu():
        model = made(dual=dual).to(CUDA)
        decoder = StreamingDecoder(model, noise=SeededNoise(7))
        pieces = list(decoder.decode(codes(model.geometry), 5))
    assert len(pieces) == -(-COARSE // 5) + 1
    assert all(on_gpu(list(piece.values())) for piece in pieces)


@dataclass
class OneUtterance:
    """What an evaluation asks of a cache, without one."""

    geometry: Geometry
    num_samples: int = 40_000
    utterance_id: str = "one"

    def __getitem__(self, index: int) -> "OneUtterance":
        return self

    def coarse_tokens(self, index: int) -> int:
        return COARSE

    def codes(self, index: int, start: int, length: int) -> list[np.ndarray]:
        counts = [length * per_coarse for per_coarse in self.geometry.tokens_per_coarse]
        return [np.zeros(count, np.uint16) for count in counts]


def judge(device: torch.device = CUDA) -> Decoder:
    """Return what decodes for snac-eval, with the base and a model of two heads."""
    models = {"base": made(), "dual": made(dual=True)}
    subjects = [LoadedModel(ModelSource(name, name), model, "") for name, model in models.items()]
    return Decoder(subjects, OneUtterance(models["base"].geometry), 0, device)  # type: ignore[arg-type]


def test_evaluation() -> None:
    with fake_gpu():
        outputs = judge().outputs(0)
    assert [output.rate for output in outputs] == [24_000, 48_000, 24_000, 48_000]
    assert on_gpu([output.audio for output in outputs])


def encode_what_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_module, "codec_input", lambda *_: torch.zeros(1, 1, 24_576))
    UtteranceEncoder(made(), CUDA).start([Audio(torch.zeros(24_000), 24_000)])


def resample_with_a_kernel_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    sinc_resampler(48_000, 24_000, CUDA).kernel = torch.zeros(1, 1, 28)
    codec_input([torch.zeros(48_000)], [48_000], Geometry.of(NARROW["24k"]), CUDA)


def encode_pieces_that_were_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SNAC, "device", torch.device("cpu"))
    made().to(CUDA).encode_long(torch.zeros(24_000))


def decode_with_noise_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made().to(CUDA)
    model.decode(codes(model.geometry), lambda features, *_: torch.zeros(1, 1, features.shape[-1]))


def decode_codes_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(dual=True).to(CUDA)
    model.decode(codes(model.geometry, torch.device("cpu")))


def stream_with_silence_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StreamingDecoder, "device", torch.device("cpu"))
    model = made().to(CUDA)
    list(StreamingDecoder(model, noise=no_noise).decode(codes(model.geometry), 5))


def evaluate_codes_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = judge()
    decoder.device = torch.device("cpu")
    decoder.outputs(0)


@pytest.mark.parametrize(
    "mistake",
    [
        encode_what_was_not_sent,
        resample_with_a_kernel_left_behind,
        encode_pieces_that_were_not_sent,
        decode_with_noise_left_behind,
        decode_codes_left_behind,
        stream_with_silence_left_behind,
        evaluate_codes_left_behind,
    ],
)
def test_a_tensor_left_behind_is_found(
    mistake: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RuntimeError, match=r"device.*(cuda:0.*cpu|cpu.*cuda:0)"), fake_gpu():
        mistake(monkeypatch)
