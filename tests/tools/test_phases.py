"""The whole way from audio to a report, stopped on the way and gone on with."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import soundfile
from workplace import write_tone

ROOT = Path(__file__).parents[2]
# many epochs: the run must still be training when the signal arrives
QUICK = ["--model=builtin:speech-small", "--device", "cpu", "--epochs", "5", "--batch-size", "2"]
QUICK += ["--segment-schedule", "0.3", "--epoch-ranges", "1-5", "--batch-multiplier", "1"]
QUICK += ["--set", "validation.segment_s=0.5", "--val-limit", "2"]


def start(artifacts: Path, *arguments: object, script: str = "phase12.sh") -> subprocess.Popen[str]:
    """Start a script; without network, and without Sidon."""
    uv = os.environ.get("UV") or shutil.which("uv")
    if not uv:
        pytest.skip("uv is not on PATH; tools/test.sh brings it")
    variables = {
        "PATH": f"{Path(uv).parent}:{os.environ['PATH']}",
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(artifacts / "hub"),
        "SNAC_ARTIFACTS": str(artifacts),
    }
    # on one core: the commands start no workers then, of which each would load torch
    core = str(min(os.sched_getaffinity(0)))
    # a shell's background ignores interrupts, and a script cannot trap what was ignored before it
    heeding = ["env", "--default-signal=INT", "taskset", "-c", core]
    return subprocess.Popen(
        [*heeding, str(ROOT / "tools" / script), *map(str, arguments)],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    output, errors = process.communicate(timeout=200)
    return process.returncode, output, errors


def written(*folders: Path) -> dict[Path, int]:
    """Return when each file below some folders was written."""
    files = [path for folder in folders for path in folder.rglob("*.parquet")]
    return {path: path.stat().st_mtime_ns for path in files}


def test_phase_12_goes_on_where_it_was(tmp_path: Path) -> None:
    speech, artifacts = tmp_path / "my speech", tmp_path / "artifacts"
    for number in range(7):
        split = "train" if number < 5 else "val"
        write_tone(speech / split / f"{number}.wav", 1.1 + 0.01 * number)
    write_tone(speech / "train/low.wav", 1.2, 24_000)

    code, _, errors = finish(start(artifacts, speech, *QUICK))
    assert code == 1
    assert "--engine resample: plain resampling" in errors
    assert not (artifacts / "codes").exists()

    process = start(artifacts, speech, "--engine", "resample", *QUICK)
    metrics = artifacts / "runs/phase12/metrics.jsonl"
    while process.poll() is None and not metrics.exists():
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
    code, _, errors = finish(process)
    run = json.loads((artifacts / "runs/phase12/run.json").read_text())
    assert (code, run["state"]) == (143, "stopped"), errors
    made = written(artifacts / "codes")

    code, output, errors = finish(start(artifacts, speech, "--engine=resample", *QUICK))
    assert code == 0, errors
    run = json.loads((artifacts / "runs/phase12/run.json").read_text())
    assert (run["state"], run["counts"]["train"], run["counts"]["val"]) == ("finished", 6, 2)
    assert "== snac-manifest" not in errors
    assert "going on after step" in errors
    assert made == written(artifacts / "codes")
    assert output.splitlines()[-1] == f"report: {artifacts}/eval/phase12/report.html"
    (target,) = artifacts.glob("audio48k/**/low.flac")
    assert soundfile.info(target).samplerate == 48_000

    code, _, errors = finish(start(artifacts, tmp_path, *QUICK))
    assert (code, "give another --artifacts" in errors) == (1, True)


@pytest.mark.parametrize(
    ("phase", "arguments"),
    [
        *[(12, arguments) for arguments in ([], ["no such folder"], ["--help"], [".", "--gpus"])],
        (10, []),
        (11, []),
    ],
)
def test_the_whole_way_begins_at_a_folder(tmp_path: Path, phase: int, arguments: list[str]) -> None:
    code, _, errors = finish(start(tmp_path, *arguments, script=f"phase{phase}.sh"))
    assert code == 2
    assert f"usage: tools/phase{phase}.sh FOLDER" in errors
    assert "[phase" in errors
