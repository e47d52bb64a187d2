"""What must start fast does not import torch."""

import subprocess
import sys

import pytest

import snac_model

LIGHT = [
    "snac_common.artifacts",
    "snac_common.console",
    "snac_common.errors",
    "snac_common.files",
    "snac_common.options",
    "snac_common.progress",
    "snac_common.tool",
    "snac_model",
    "snac_model.audio.file_bytes",
    "snac_model.audio.error",
    "snac_model.audio.header",
    "snac_model.shapes.config",
    "snac_model.shapes.geometry",
    "snac_model.audio.header_bounds",
    "snac_model.audio.locators",
    "snac_model.audio.memory",
    "snac_model.audio.mono_blocks",
    "snac_model.audio.parquet_cells",
    "snac_model.shapes.pieces",
    "snac_model.files.places",
    "snac_model.audio.sinc_kernel",
]
HEAVY = ("torch", "torchaudio", "huggingface_hub", "safetensors")


def test_the_ground_floor_starts_without_anything_heavy() -> None:
    code = f"import sys, {', '.join(LIGHT)}; print([m for m in {HEAVY} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_the_geometry_is_usable_without_torch() -> None:
    code = (
        "import sys; from snac_model import CodecConfig, Geometry; "
        "print(Geometry.of(CodecConfig()).hop_length, 'torch' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["441", "False"]


def test_what_users_need_is_at_the_top() -> None:
    wanted = {"Failure", "ReconstructionLoss", "TokenReader", "double_rate", "read_mono"}
    wanted |= {"resample", "resampled_blocks", "token_layout", "untrained"}
    assert wanted <= {*snac_model.__all__}


def test_every_public_name_resolves() -> None:
    for name in snac_model.__all__:
        assert getattr(snac_model, name).__module__.startswith(("snac_model.", "snac_common."))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = snac_model.nonsense
