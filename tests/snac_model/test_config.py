"""Configurations of strangers: what cannot be a model is refused before anything is built."""

import json
from pathlib import Path
from typing import Any

import pytest
from models import TRUE

from snac_common.errors import Failure
from snac_model.config import CodecConfig

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
]


@pytest.mark.parametrize("values", WRONG, ids=str)
def test_what_is_no_model_is_refused_with_its_field(tmp_path: Path, values: dict[str, Any]) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(values))
    with pytest.raises(Failure, match=next(iter(values))) as caught:
        CodecConfig.read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", sorted(TRUE))
def test_true_configurations_are_read_as_they_were(tmp_path: Path, name: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(TRUE[name].to_dict()))
    assert CodecConfig.read(path) == TRUE[name]
