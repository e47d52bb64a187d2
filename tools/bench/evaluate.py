"""Evaluation against decoding alone, and its memory for few utterances and for many.

Speed is that of a model of the true size with seeded weights and its dual head, in this process and
one thread; on a CPU in processor time, which depends less on what else the machine does. Memory is
the peak of whole commands, with the small model.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import torch
from encode import command, seeded_model

from snac_common.tool import Tool
from snac_eval.measuring.measure_utterance import Job, UtteranceMeasurer
from snac_eval.models.evaluated import ModelSource
from snac_model import DualHeadSNAC, load, save

FEW, MANY = 30, 300


@click.command(cls=Tool, example="bench/evaluate.py ../shared/speech/nathalie")
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu")
@click.option("--limit", default=16, help="Utterances to time.")
def main(folder: Path, device: str, limit: int) -> None:
    """Evaluate utterances of FOLDER and print a Markdown table."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        command("snac_cache.cli.manifest", folder, "-o", work / "manifests")
        seeded_model(work / "base")
        save(DualHeadSNAC.from_base(load(work / "base")), work / "dual")
        cache(work, work / "base", work / "full-size", limit, device)
        alone, whole = speeds(work, device, limit)
        cache(work, "builtin:speech-small", work / "small", MANY, device)
        few, many = (peak(work, count, device) for count in (FEW, MANY))
    print(f"Evaluating {limit} utterances with two models of the true size, {device}:\n")
    print("| | utterances / s | ratio |\n| --- | ---: | ---: |")
    print(f"| decoding alone | {alone:.3f} | 1.00 |")
    print(f"| with all metrics but the perceptual ones | {whole:.3f} | {whole / alone:.2f} |\n")
    print(f"Peak memory of snac-eval: {few:.2f} GiB for {FEW} utterances, {many:.2f} for {MANY}.\n")


def cache(work: Path, model: Path | str, codes: Path, limit: int, device: str) -> None:
    """Encode utterances of the train split."""
    options = ["--model", model, "--codes", codes, "--limit", limit, "--val-limit", 0]
    command("snac_cache.cli.cache", "--manifest", work / "manifests", *options, "--device", device)


def speeds(work: Path, device: str, limit: int) -> tuple[float, float]:
    """Return utterances a second: decoded alone, and evaluated."""
    places = [ModelSource("base", str(work / "base")), ModelSource("dual", str(work / "dual"))]
    codes = work / "full-size"
    manifest = work / "manifests"
    job = Job(places, codes, "train", manifest, 0, None, (), two_sample=False, ceiling=False)
    judge = UtteranceMeasurer(job, device)
    clock = time.monotonic if device == "cuda" else time.process_time
    return per_second(judge.decoder.decode, limit, clock), per_second(judge.measure, limit, clock)


def per_second(work: Callable[[int], object], limit: int, clock: Callable[[], float]) -> float:
    """Return how many utterances are worked on in a second, after one to warm up."""
    work(0)
    started = clock()
    for index in range(limit):
        work(index)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return limit / (clock() - started)


def peak(work: Path, count: int, device: str) -> float:
    """Return the peak memory of an evaluation in GiB."""
    options = ["--artifacts", work, "--codes", work / "small", "--split", "train", "--limit", count]
    options += ["--samples", 0, "--workers", 1, "--device", device, "--segment", 1]
    arguments = [sys.executable, "-m", "snac_eval.cli.evaluate", "builtin:speech-small", *options]
    process = subprocess.Popen(list(map(str, arguments)), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"the evaluation of {count} utterances failed")
    return usage.ru_maxrss / 2**20


if __name__ == "__main__":
    main()
