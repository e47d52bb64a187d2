"""Kill a training run at random moments, resume it each time, and compare it with a whole one.

    python tools/resume_test.py ARTIFACTS [--kills 20] [--processes 1]

ARTIFACTS holds manifests and codes, such as tools/quickstart.sh leaves them. Each run is a process
of its own, ended by SIGKILL; the result must be the uninterrupted run's, bit for bit.
"""

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SETTINGS = {
    "data.limit": "48",
    "validation.limit": "8",
    "validation.segment_s": "1.0",
    "curriculum.epochs": "6",
    "curriculum.batch_size": "8",
    "curriculum.epoch_ranges": "1-2,3-4,5-6",
    "curriculum.segment_s": "0.3,0.5,0.7",
    "curriculum.batch_multiplier": "1.5,1.0,0.5",
    "checkpoint.every_steps": "3",
    "tracking.log_every": "5",
}


def main() -> None:
    """Run the comparison and print its one line of summary; exit 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifacts", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        started = time.monotonic()
        finish(start(options, root, "whole", resume=False))
        seconds = time.monotonic() - started
        kills = kill_often(options, root, seconds)
        same = result(root / "runs/whole") == result(root / "runs/killed")
    print(json.dumps({"kills": kills, "seconds_of_a_run": round(seconds), "identical": same}))
    sys.exit(not same)


def kill_often(options: argparse.Namespace, root: Path, seconds: float) -> int:
    """Start, kill and resume until enough kills have hit; then let it finish."""
    moments = random.Random(options.seed)
    hit = 0
    while hit < options.kills:
        begun = (root / "runs/killed/recipe.toml").exists()
        processes = start(options, root, "killed", resume=begun)
        time.sleep(moments.uniform(0.3, 0.6) * seconds)
        if all(process.poll() is not None for process in processes):
            print("finished before its kill; starting it anew", file=sys.stderr)
            shutil.rmtree(root / "runs/killed")
            continue
        for process in processes:
            process.send_signal(signal.SIGKILL)
            process.wait()
        hit += 1
        print(f"kill {hit}, {lines(root)} lines of metrics", file=sys.stderr)
    finish(start(options, root, "killed", resume=True))
    return hit


def lines(root: Path) -> int:
    """Count the lines of the killed run's metrics."""
    metrics = root / "runs/killed/metrics.jsonl"
    return metrics.read_text().count("\n") if metrics.exists() else 0


def start(
    options: argparse.Namespace, root: Path, run: str, *, resume: bool
) -> list[subprocess.Popen]:
    """Start training in as many processes as asked for."""
    words = ["--phase", "12", "--device", "cpu", "--run", run, "--artifacts", str(root)]
    words += ["--codes", str(options.artifacts / "codes")]
    words += ["--manifest", str(options.artifacts / "manifests")]
    words += [word for name, text in SETTINGS.items() for word in ("--set", f"{name}={text}")]
    words += ["--resume"] if resume else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if options.processes > 1:
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
        environment |= {"WORLD_SIZE": str(options.processes), **meeting}
    return [
        subprocess.Popen(
            [sys.executable, "-m", "snac_train", *words],
            env={**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)}
            if options.processes > 1
            else environment,
            stdout=subprocess.DEVNULL,
            stderr=(root / f"{run}.log").open("a"),
        )
        for rank in range(options.processes)
    ]


def finish(processes: list[subprocess.Popen]) -> None:
    """Wait for a run that must end well."""
    if any(process.wait() for process in processes):
        sys.exit("a run failed")


def result(run: Path) -> dict[str, Any]:
    """Read all that two runs must agree in."""
    entries = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for entry in entries:
        [entry.pop(speed, None) for speed in ("samples_per_s", "waited_for_data")]
    weights = sorted(run.glob("best*/model.safetensors"))
    weights += sorted(run.glob("checkpoints/step-*/model.safetensors"))
    files = {str(path.relative_to(run)): path.read_bytes() for path in weights}
    return {"metrics": entries, "files": files}


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    main()
