"""Encoding: the official package one file at a time, against snac-cache, on the same files.

Both are whole commands in processes of their own, from start to end, with the true size of the
24 kHz model; random weights cost the same time as trained ones.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import torch
from gpu_busy import gpu_busy, in_percent

from snac_cache import CodeStore
from snac_cache.manifests.limit import sample
from snac_cache.manifests.read import read_manifest
from snac_common.devices import available_cores
from snac_common.tool import Tool
from snac_model import SNAC, save
from snac_model.shapes.config import SNAC_24KHZ


@click.command(cls=Tool, example="bench/encode.py ../shared/speech/nathalie --device cpu")
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu")
@click.option("--limit", default=400, help="Files to encode.")
def main(folder: Path, device: str, limit: int) -> None:
    """Encode the train split of FOLDER in both ways and print a Markdown table."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        seeded_model(work / "model")
        command("snac_cache.cli.manifest", folder, "-o", work / "manifests")
        rows = sample(read_manifest(work / "manifests")["train"], limit)
        audio_seconds = sum(rows.column("duration_s").to_pylist())
        (work / "paths.json").write_text(json.dumps(rows.column("audio_path").to_pylist()))

        official = timed(
            sys.executable, Path(__file__).with_name("encode_official.py"), work, device
        )
        options = ["--manifest", work / "manifests", "--model", work / "model", "--device", device]
        options += ["--limit", limit, "--val-limit", 0]
        ours = {}
        for precision in ["fp32", "tf32", "bf16"] if device == "cuda" else ["fp32"]:
            made = ["--codes", work / precision, "--precision", precision]
            with gpu_busy() as busy:
                seconds = timed(sys.executable, "-m", "snac_cache.cli.cache", *options, *made)
            ours[precision] = seconds, share_of_equal_tokens(work, precision), in_percent(busy)

    print(f"Encoding {rows.num_rows} files, {audio_seconds:.0f} s of audio, {device}:\n")
    print("| | audio s / s | ratio | equal tokens | GPU busy |")
    print("| --- | ---: | ---: | ---: | ---: |")
    print(f"| official package, one file at a time | {audio_seconds / official:.1f} | 1.0 | | |")
    for precision, (seconds, equal, busy_share) in ours.items():
        print(
            f"| snac-cache, {precision}, {available_cores()} cores | {audio_seconds / seconds:.1f} "
            f"| {official / seconds:.2f} | {equal:.6f} | {busy_share} |"
        )
    print()


def seeded_model(folder: Path) -> None:
    """Write a model of the true size, for both packages."""
    torch.manual_seed(0)
    model = SNAC(**SNAC_24KHZ.to_dict())
    save(model, folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")


def command(module: str, *arguments: object) -> None:
    """Run one of our commands."""
    timed(sys.executable, "-m", module, *arguments)


def timed(*arguments: object) -> float:
    """Run a process to its end and return its wall-clock seconds."""
    started = time.monotonic()
    subprocess.run(list(map(str, arguments)), check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def share_of_equal_tokens(work: Path, precision: str) -> float:
    """Compare both commands' tokens, over all levels."""
    store = CodeStore(work / precision, "train")
    official = np.load(work / "official.npz")
    equal = total = 0
    for index in range(len(store)):
        for level, codes in enumerate(store.codes(index)):
            equal += int((codes == official[f"{index}_{level}"]).sum())
            total += len(codes)
    return equal / total


if __name__ == "__main__":
    main()
