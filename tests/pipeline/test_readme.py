"""The README's Python does what it says."""

import re
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from conftest import ROOT

import snac_model
from snac_model import DualHeadSNAC, load, save


def test_the_readmes_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(
        DualHeadSNAC.from_base(load("builtin:speech-small")), tmp_path / "artifacts/runs/first/best"
    )
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    codes = [torch.arange(5 * count) for count in (1, 2, 4)]
    names: dict[str, Any] = {
        "audio": torch.zeros(1, 1, 24_000),
        "text": snac_model.ORPHEUS.text(codes),
    }
    for block in blocks:
        exec(block, names)
    whole = names["audio_48k"].shape[-1]
    assert whole == 2 * names["audio_24k"].shape[-1]
    assert 0 < names["piece"].shape[-1] < whole
    assert soundfile.info("speech.wav").frames == 5 * names["model"].geometry.coarse_samples(48_000)
