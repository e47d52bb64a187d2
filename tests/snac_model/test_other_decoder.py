"""A decoder of another kind is known by what it says of itself: nothing asks for its class."""

import json
from pathlib import Path

import pytest
import torch
from models import NARROW, codes, seeded
from other_decoder import KIND, other_model

from snac_common.errors import Failure
from snac_model import DualHeadSNAC, SeededNoise, StreamingDecoder, load, no_noise, save
from snac_model.codec.dual_head import double_rate
from snac_model.codec.snac import SNAC
from snac_model.export.graphs import DecoderGraph
from snac_model.export.half import half_decoder
from snac_model.layers.segments import Segments
from snac_model.shapes.config import CodecConfig


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> SNAC:
    return other_model(seeded(NARROW["24k"]), monkeypatch)


def test_its_geometry_is_what_it_says(model: SNAC) -> None:
    assert model.geometry.output_rates == (24_000, 48_000)
    assert (model.geometry.decoder_context, model.geometry.context_tokens) == (4, 1)


@torch.no_grad()
def test_it_is_saved_loaded_and_decoded(model: SNAC, tmp_path: Path) -> None:
    save(model, tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["decoder"] == {"kind": KIND}
    levels = codes(model, 5, batch=2)
    lower, upper = load(tmp_path).decode(levels, no_noise)
    assert upper.shape == (2, 1, 2 * lower.shape[-1])
    assert list(map(torch.equal, model.decode(levels, no_noise), (lower, upper))) == [True, True]


@torch.no_grad()
def test_its_segments_are_those_of_whole_windows(model: SNAC) -> None:
    latents = model.quantizer.from_codes(codes(model, 8, batch=3))
    segments = Segments(torch.tensor([0, 12, 24]), 8, 32)
    alone = model.decode_latents(latents, no_noise, segments)
    for rate, audio in model.decode_latents(latents, no_noise).items():
        samples = model.geometry.samples_per_frame(rate)
        for item, start in enumerate((0, 12, 24)):
            expected = audio[item, :, start * samples : (start + 8) * samples]
            torch.testing.assert_close(alone[rate][item], expected, rtol=0, atol=1e-6)


@torch.no_grad()
def test_it_streams(model: SNAC) -> None:
    levels = codes(model, 7)
    pieces = list(StreamingDecoder(model, noise=SeededNoise(1)).decode(levels, 2))
    for rate, audio in model.decode_by_rate(levels, SeededNoise(1)).items():
        streamed = torch.cat([piece[rate] for piece in pieces], -1)
        torch.testing.assert_close(streamed, audio, rtol=0, atol=1e-5)


@torch.no_grad()
def test_it_has_a_graph_and_half_weights(model: SNAC) -> None:
    levels = codes(model, 3)
    assert DecoderGraph(model, 48_000)(*levels).equal(model.decode_by_rate(levels, no_noise)[48000])
    halved = half_decoder(model)
    assert {weight.dtype for weight in halved.decoder.parameters()} == {torch.float16}
    assert {weight.dtype for weight in halved.encoder.parameters()} == {torch.float32}


def test_no_block_is_put_after_it(model: SNAC) -> None:
    for continued in (DualHeadSNAC.from_base, double_rate):
        with pytest.raises(Failure, match="not a frames one"):
            continued(model)


@pytest.mark.parametrize(
    ("decoder", "said"),
    [
        ({"kind": "other"}, "of kind 'other', which this version does not know, only snac"),
        ({"kind": 3}, "not an object with the decoder's 'kind'"),
        ("snac", "not an object with the decoder's 'kind'"),
    ],
)
def test_an_unknown_kind_is_refused(decoder: object, said: str) -> None:
    with pytest.raises(Failure, match=said):
        SNAC(**NARROW["24k"].to_dict(), decoder=decoder)


def test_the_official_form_names_no_decoder() -> None:
    assert "decoder" not in CodecConfig().to_dict()
