"""Audio that lies far beyond full scale: some ogg files decode to 10 to 41 times of it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from syllables import syllables
from workplace import last_line, query, run, succeed

MANIFEST, UPSAMPLE, CACHE = (f"snac_cache.cli.{name}" for name in ("manifest", "upsample", "cache"))


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """A short and a long utterance at 12 times full scale, and one a little above it."""
    loud = {"short": (1.2, 12.0), "long": (41.0, 12.0), "sound": (1.2, 1.3)}
    said = syllables(1.2, 24_000)  # of the long one, again and again: making it takes its time
    for name, (seconds, peak) in loud.items():
        audio = np.resize(said, round(seconds * 24_000))
        (tmp_path / "in").mkdir(exist_ok=True)
        audio *= peak / np.abs(audio).max()
        soundfile.write(tmp_path / "in" / f"{name}.wav", audio, 24_000, "FLOAT")
    succeed(MANIFEST, tmp_path / "in", "--artifacts", tmp_path, "--val-ratio", 0)
    return tmp_path


def test_no_target_is_made_of_it(artifacts: Path) -> None:
    """A target cut at full scale is other audio; and nothing about it is misaligned."""
    options = ["--artifacts", artifacts, "--engine", "resample", "--workers", 1]
    result = run(UPSAMPLE, *options, "--max-reject-rate", 0.9)
    assert result.exit_code == 0, result.stderr
    assert last_line(result)["rejects"] == {"over_full_scale": 2}
    ((detail,),) = query(
        f"SELECT DISTINCT detail FROM '{artifacts}/manifests/rejects.parquet' "
        "WHERE utterance_id = 'in/short'"
    )
    assert "12.0 times full scale" in detail


def test_no_codes_are_made_of_it(artifacts: Path, model_folder: Path) -> None:
    options = ["--artifacts", artifacts, "--model", model_folder, "--device", "cpu", "--workers", 1]
    result = run(CACHE, *options, "--max-reject-rate", 0.9)
    assert result.exit_code == 0, result.stderr
    assert last_line(result)["rejects"] == {"over_full_scale": 2}
