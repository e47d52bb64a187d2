"""What comparing long runs costs: four runs, with 1,000 and with 100,000 lines of metrics each.

    uv run python tools/bench/compare.py

Each row is the whole command in a process of its own, start-up included.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 4
LENGTHS = (1_000, 100_000)
FORMATS = ("csv", "html")
LINES_A_VALIDATION = 100
METRICS = [
    "loss",
    *(f"{head}/{part}" for head in ("24k", "48k") for part in ("loss", "l1", "stft")),
]
FIGURES = ("lr/trunk", "lr/head_24k", "lr/head_48k", "grad_norm", "samples_per_s", "gpu_memory_gb")


def main() -> None:
    """Make runs, compare them, and print a Markdown table."""
    print(f"| {RUNS} runs, lines each | form | s | CPU s | peak MiB |")
    print("| ---: | --- | ---: | ---: | ---: |")
    for lines in LENGTHS:
        with tempfile.TemporaryDirectory(prefix="snac-compare-") as root:
            names = [f"run-{number}" for number in range(RUNS)]
            for number, name in enumerate(names):
                write_run(Path(root) / "runs" / name, lines, 1 + number / 10)
            for form in FORMATS:
                print(f"| {lines:,} | {form} | {measure(root, names, form)} |", flush=True)
    print()


def write_run(folder: Path, lines: int, scale: float) -> None:
    """Write metrics as a run of phase 12 does."""
    folder.mkdir(parents=True)
    with (folder / "metrics.jsonl").open("w") as file:
        for step in range(lines):
            kind = "train" if step % LINES_A_VALIDATION else "val" if step else "baseline"
            value = scale * (1 + 10 / (step + 10)) / 3
            entry = {"kind": kind, "step": step, "epoch": 1 + step * 15 // lines}
            entry |= {"samples_seen": 96 * step, "segment_s": 4.010666666666666, "batch_size": 96}
            entry |= dict.fromkeys(METRICS if kind != "train" else [*METRICS, *FIGURES], value)
            file.write(json.dumps(entry) + "\n")


def measure(root: str, names: list[str], form: str) -> str:
    """Return the seconds, the processor's seconds and the peak memory of one comparison."""
    words = ["--artifacts", root, "--output", f"{root}/comparison.{form}", *names]
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "snac_eval.cli.compare", *words], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"snac-compare failed with {os.waitstatus_to_exitcode(status)}")
    seconds = time.monotonic() - started
    return f"{seconds:.1f} | {usage.ru_utime + usage.ru_stime:.1f} | {usage.ru_maxrss / 1024:.0f}"


if __name__ == "__main__":
    main()
