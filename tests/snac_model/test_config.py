"""Configurations of strangers: what cannot be a model is refused before anything is built."""

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from models import TRUE

from snac_common.errors import Failure
from snac_model.shapes.config import CodecConfig
from snac_model.shapes.geometry import Geometry

WRONG = [
    {"decoder_rates": [8, 8, 4, 1_000_000]},
    {"encoder_rates": [1000, 1000]},
    {"encoder_rates": []},
    {"decoder_rates": [8, 0]},
    {"decoder_rates": [2.5]},
    {"decoder_rates": 8},
    {"vq_strides": [4, -2, 1]},
    {"vq_strides": [True]},
    {"noise": "x"},
    {"depthwise": 1},
    {"sampling_rate": 0},
    {"sampling_rate": "24000"},
    {"sampling_rate": True},
    {"sampling_rate": None},
    {"codebook_size": 65_537},
    {"codebook_size": -1},
    {"attn_window_size": 0},
    {"latent_dim": 1.5},
    {"encoder_rates": [1] * 1_000_000},
    {"vq_strides": [1] * 17},
]
TOO_LARGE = [
    ({"encoder_dim": 2**20}, "weights"),
    ({"encoder_dim": 2048, "encoder_rates": [2] * 16}, "weights"),
    ({"decoder_dim": 2**20}, "weights"),
    ({"latent_dim": 2**20}, "weights"),
    ({"codebook_size": 65_536, "codebook_dim": 2**20}, "weights"),
    ({"attn_window_size": 2**20}, "samples that audio is padded to"),
    ({"decoder_dim": 64, "decoder_rates": [256, 256]}, "samples in a second"),
]


@pytest.mark.parametrize("values", WRONG, ids=lambda values: str(values)[:60])
def test_what_is_no_model_is_refused_with_its_field(tmp_path: Path, values: dict[str, Any]) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(values))
    with pytest.raises(Failure, match=next(iter(values))) as caught:
        CodecConfig.read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(("values", "what"), TOO_LARGE, ids=str)
def test_what_no_machine_could_build_is_refused_at_once(
    tmp_path: Path, values: dict[str, Any], what: str
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(values))
    started = time.perf_counter()
    with pytest.raises(Failure, match=f"describes a codec with .* {what}") as caught:
        Geometry.of(CodecConfig.read(path))
    assert time.perf_counter() - started < 1
    assert str(path) in str(caught.value)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "sampling_rate": st.integers(0, 800_000),
            "encoder_dim": st.integers(1, 2**21),
            "decoder_dim": st.integers(1, 2**21),
            "latent_dim": st.none() | st.integers(1, 2**21),
            "encoder_rates": st.lists(st.integers(1, 70_000) | st.just(1), max_size=20),
            "decoder_rates": st.lists(st.integers(1, 70_000) | st.just(1), max_size=20),
            "vq_strides": st.lists(st.integers(1, 70_000) | st.just(1), max_size=20),
            "attn_window_size": st.none() | st.integers(1, 2**21),
            "codebook_size": st.integers(1, 70_000),
            "codebook_dim": st.integers(1, 2**21),
            "dual_head": st.booleans(),
        },
    )
)
def test_any_numbers_are_refused_or_give_a_geometry_at_once(values: dict[str, Any]) -> None:
    started = time.perf_counter()
    with suppress(Failure, ValueError):
        Geometry.of(CodecConfig.from_dict(values))
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("name", sorted(TRUE))
def test_true_configurations_are_read_as_they_were(tmp_path: Path, name: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(TRUE[name].to_dict()))
    assert CodecConfig.read(path) == TRUE[name]
