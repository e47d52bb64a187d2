"""A Fourier decoder as ONNX, which has no inverse FFT."""

from pathlib import Path

import pytest
from fourier import fourier_model

pytest.importorskip("onnxruntime")

from snac_model.export.onnx_files import TOLERANCE, write_onnx


@pytest.mark.parametrize("half", [False, True])
def test_its_graphs_agree_with_torch(tmp_path: Path, half: bool) -> None:
    model = fourier_model().fold_weight_norm()
    report = write_onnx(model, tmp_path / "onnx", noise=True, half=half)
    assert report.largest_error.keys() == {"decoder_24000.onnx", "decoder_48000.onnx"}
    assert all(not lengths for lengths in report.noise_lengths.values())
    assert half or max(report.largest_error.values()) < TOLERANCE
