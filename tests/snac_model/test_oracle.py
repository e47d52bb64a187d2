"""The official package is the oracle: same weights, same codes, same audio (invariant 1)."""

import json
from pathlib import Path

import pytest
import snac
import torch
from models import NARROW, TRUE, audio, codes, seeded

from snac_model.codec.snac import SNAC
from snac_model.shapes.config import CodecConfig

NAMES = sorted(TRUE)
LENGTHS = [1, 4097, 20011]


def official(config: CodecConfig, weights: SNAC) -> snac.SNAC:
    """Return the official model with the same weights; its keys must be the same."""
    model = snac.SNAC(**config.to_dict()).eval()
    model.load_state_dict(weights.state_dict(), strict=True)
    return model


def assert_same(ours: SNAC, theirs: snac.SNAC, signal: torch.Tensor) -> None:
    """Compare preprocess, encode, decode and forward on audio ``[B, 1, T]``."""
    torch.testing.assert_close(ours.preprocess(signal), theirs.preprocess(signal), rtol=0, atol=0)
    levels, expected_levels = ours.encode(signal), theirs.encode(signal)
    for level, expected_level in zip(levels, expected_levels, strict=True):
        assert level.dtype == torch.int64
        assert torch.equal(level, expected_level)
    torch.manual_seed(5)
    decoded = ours.decode(levels)
    torch.manual_seed(5)
    torch.testing.assert_close(decoded, theirs.decode(expected_levels), rtol=0, atol=1e-5)
    torch.manual_seed(6)
    trimmed, forward_levels = ours(signal)
    torch.manual_seed(6)
    expected, _ = theirs(signal)
    torch.testing.assert_close(trimmed, expected, rtol=0, atol=1e-5)
    assert trimmed.shape == signal.shape
    assert all(map(torch.equal, forward_levels, levels))


@torch.no_grad()
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.campaign)])
@pytest.mark.parametrize("name", NAMES)
def test_narrow_models_agree_at_odd_lengths_and_batches(name: str, seed: int) -> None:
    ours = seeded(NARROW[name], seed)
    theirs = official(NARROW[name], ours)
    for length in LENGTHS:
        for batch in (1, 3):
            assert_same(ours, theirs, audio(length, batch, seed))


@torch.no_grad()
@pytest.mark.parametrize(
    "name",
    [
        "24k",
        pytest.param("32k", marks=pytest.mark.campaign),  # the 44 kHz model is the same
        pytest.param("default", marks=pytest.mark.campaign),
    ],
)
def test_true_sizes_agree(name: str) -> None:
    ours = seeded(TRUE[name], 4)
    theirs = official(TRUE[name], ours)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    assert_same(ours, theirs, audio(3001, 1, 4))


def test_parameter_counts_of_the_24_khz_model() -> None:
    model = SNAC(**TRUE["24k"].to_dict())
    counts = [
        round(sum(value.numel() for value in part.parameters()) / 1e6, 2)
        for part in (model.encoder, model.quantizer, model.decoder)
    ]
    assert counts == [6.69, 0.14, 13.01]


@torch.no_grad()
def test_without_noise_and_depthwise_convolutions_they_agree_too() -> None:
    config = CodecConfig.from_dict(
        {**NARROW["32k"].to_dict(), "noise": False, "depthwise": False, "latent_dim": 64}
    )
    ours = seeded(config)
    assert_same(ours, official(config, ours), audio(5003))


@torch.no_grad()
def test_random_codes_use_the_whole_codebook_and_decode_alike() -> None:
    ours = seeded(NARROW["24k"])
    theirs = official(NARROW["24k"], ours)
    levels = codes(ours, 20, batch=2)
    torch.manual_seed(1)
    expected = theirs.decode(levels)
    torch.manual_seed(1)
    torch.testing.assert_close(ours.decode(levels), expected, rtol=0, atol=1e-5)


def test_the_signals_of_these_tests_yield_varied_codes() -> None:
    """Agreement on codes that are all alike would prove little."""
    for name in NAMES:
        with torch.no_grad():
            levels = seeded(NARROW[name], 1).encode(audio(30011, 3, 1))
        assert all(level.unique().numel() > 10 for level in levels)


@torch.no_grad()
def test_folders_go_both_ways(tmp_path: Path) -> None:
    """What one package saves in the official form, both load with from_pretrained."""
    config = NARROW["44k"]
    ours = seeded(config)
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    torch.save(official(config, ours).state_dict(), tmp_path / "pytorch_model.bin")
    assert_same(
        SNAC.from_pretrained(tmp_path), snac.SNAC.from_pretrained(str(tmp_path)), audio(5003)
    )


def test_from_config_builds_the_same_architecture(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(NARROW["32k"].to_dict()))
    ours, theirs = SNAC.from_config(path), snac.SNAC.from_config(path)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    assert ours.training == theirs.training


@torch.no_grad()
def test_training_gradients_pass_through_the_quantizer_alike() -> None:
    ours = seeded(NARROW["24k"]).train()
    theirs = official(NARROW["24k"], ours).train()
    gradients = []
    for model in (ours, theirs):
        with torch.enable_grad():
            torch.manual_seed(3)
            model(audio(4097))[0].pow(2).mean().backward()
        gradients.append({name: value.grad for name, value in model.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], rtol=1e-4, atol=1e-7)


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_folding_the_weight_norm_keeps_the_bits(name: str) -> None:
    model = seeded(NARROW[name])
    signal = audio(9001, 2)
    outputs = []
    for _ in range(2):
        torch.manual_seed(2)
        outputs.append(model(signal))
        model.fold_weight_norm()
    assert not any("parametrizations" in key for key in model.state_dict())
    assert torch.equal(outputs[0][0], outputs[1][0])
    assert all(map(torch.equal, outputs[0][1], outputs[1][1]))


@pytest.mark.parametrize("name", NAMES)
def test_what_the_official_class_lets_one_read_is_there(name: str) -> None:
    ours = SNAC(**NARROW[name].to_dict())
    theirs = official(NARROW[name], ours)
    public = {key for key in vars(theirs) if not key.startswith("_") and key != "training"}
    assert {"hop_length", "sampling_rate", "n_codebooks"} <= public
    assert {key: getattr(ours, key) for key in public} == {k: vars(theirs)[k] for k in public}
    assert {key for key in vars(snac.SNAC) if not key.startswith("_")} <= set(dir(SNAC))
