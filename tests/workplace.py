"""A small real place to evaluate in: audio, a codec, its cached codes, models made from it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
import torch
from click.testing import CliRunner, Result

from snac_cache.build import CacheRequest, build_cache
from snac_cache.schema import MANIFEST
from snac_eval.cli.evaluate import main
from snac_model import SNAC, DualHeadSNAC, save

SMALL = {
    "sampling_rate": 24000,
    "encoder_dim": 4,
    "encoder_rates": [2, 4, 8, 8],
    "decoder_dim": 64,
    "decoder_rates": [8, 8, 4, 2],
    "attn_window_size": None,
    "codebook_size": 64,
    "vq_strides": [4, 2, 1],
}
LENGTHS_S = (0.7, 1.31, 0.45, 1.02)


@dataclass(frozen=True)
class Workplace:
    """An artifact root with codes of ``base``, and the commands run in it."""

    root: Path
    base: Path

    def run(self, *arguments: str | Path) -> Result:
        """Run snac-eval on the CPU, without samples unless they are asked for."""
        common = ["--artifacts", str(self.root), "--device", "cpu", "--samples", "0"]
        return CliRunner().invoke(main, [*common, *map(str, arguments)])

    def evaluate(self, *arguments: str | Path) -> Path:
        """Run snac-eval, which must succeed; return the folder of the results."""
        result = self.run(*arguments)
        assert result.exit_code == 0, (result.stderr, result.exception)
        return Path(json.loads(result.stdout.splitlines()[-1])["report"]).parent

    def load_base(self) -> SNAC:
        """Return the base as it was saved."""
        from snac_model import load

        return load(self.base)

    def save_model(self, name: str, change: Callable[[DualHeadSNAC], object]) -> Path:
        """Save a dual head that starts from the base and was then changed."""
        model = DualHeadSNAC.from_base(self.load_base())
        with torch.no_grad():
            change(model)
        save(model, self.root / "models" / name)
        return self.root / "models" / name


def write_audio(path: Path, seconds: float, seed: int, rate: int = 48000) -> None:
    """Write a harmonic tone and noise, 16 bit."""
    generator = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    tone = sum(np.sin(2 * np.pi * 150 * k * time) / k for k in range(1, 20))
    audio = 0.2 * tone + 0.02 * generator.standard_normal(len(time))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, rate, subtype="PCM_16")


def manifest_row(path: Path, **changes: Any) -> dict[str, Any]:
    """Return the manifest row of an audio file that is its own target."""
    info = soundfile.info(path)
    return {
        "utterance_id": f"val/{path.stem}",
        "split": "val",
        "audio_path": str(path),
        "source_sample_rate": info.samplerate,
        "channels": info.channels,
        "num_frames": info.frames,
        "duration_s": info.duration,
        "target_path": str(path),
        **changes,
    }


def cache(rows: Sequence[dict[str, Any]], model: Path, folder: Path) -> None:
    """Encode manifest rows with the real cache writer."""
    request = CacheRequest(folder, str(model), "cpu", workers=1, part_rows=3, overwrite=False)
    table = pa.Table.from_pylist(list(rows), schema=MANIFEST)
    build_cache({"train": table.slice(0, 0), "val": table}, request, lambda count: None)


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of ``metrics.parquet``."""
    rows: list[dict[str, Any]] = pq.read_table(folder / "metrics.parquet").to_pylist()
    return rows


def read_means(folder: Path) -> dict[tuple[str, int, str], dict[str, Any]]:
    """Return the lines of ``summary.json`` by model, rate and metric."""
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return {(mean["model"], mean["rate"], mean["metric"]): mean for mean in summary["means"]}
