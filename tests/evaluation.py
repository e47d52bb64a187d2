"""A small real place to evaluate in: audio, a codec, its cached codes, models made from it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
import torch
from click.testing import Result
from workplace import last_line, run

from snac_cache.encoding.build import build_cache
from snac_cache.encoding.request import CacheRequest
from snac_cache.schema import MANIFEST
from snac_model import SNAC, DualHeadSNAC, load, save

LENGTHS_S = (0.7, 1.31, 0.45, 1.02)


@dataclass(frozen=True)
class Workplace:
    """An artifact root with codes of ``base``, and the commands run in it."""

    root: Path
    base: Path

    def run(self, *arguments: object) -> Result:
        """Run snac-eval on the CPU, without samples unless they are asked for."""
        common = ("--artifacts", self.root, "--device", "cpu", "--workers", 1, "--samples", 0)
        return run("snac_eval.cli.evaluate", *common, *arguments)

    def evaluate(self, *arguments: object) -> Path:
        """Run snac-eval, which must succeed; return the folder of the results."""
        result = self.run(*arguments)
        assert result.exit_code == 0, (result.stderr, result.exception)
        return Path(last_line(result)["report"]).parent

    def load_base(self) -> SNAC:
        """Return the base as it was saved."""
        return load(self.base)

    def save_model(self, name: str, change: Callable[[DualHeadSNAC], object]) -> Path:
        """Save a dual head that starts from the base and was then changed."""
        model = DualHeadSNAC.from_base(self.load_base())
        with torch.no_grad():
            change(model)
        save(model, self.root / "models" / name)
        return self.root / "models" / name


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
    request = CacheRequest(folder, str(model), ["cpu"], part_rows=3)
    table = pa.Table.from_pylist(list(rows), schema=MANIFEST)
    build_cache({"train": table.slice(0, 0), "val": table}, request, lambda count: None)


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of ``metrics.parquet``."""
    rows: list[dict[str, Any]] = pq.read_table(folder / "metrics.parquet").to_pylist()
    return rows


Lines = dict[tuple[str, int, str], dict[str, Any]]


def read_means(folder: Path) -> Lines:
    """Return the means of ``summary.json`` by model, rate and metric."""
    return _lines(folder, "means")


def read_differences(folder: Path) -> Lines:
    """Return the differences to the base in ``summary.json`` by model, rate and metric."""
    return _lines(folder, "differences")


def _lines(folder: Path, kind: str) -> Lines:
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return {(line["model"], line["rate"], line["metric"]): line for line in summary[kind]}
