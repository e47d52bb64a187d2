"""W&B offline holds what metrics.jsonl holds, and goes on with the same run."""

import json
import signal
from pathlib import Path

import killing
import pytest
from killing import Moment
from wandb_files import history
from whole_runs import arguments

from snac_eval.comparison.wandb_file import read_config

SIZES = ("counts", "hours", "data")


def test_it_holds_the_numbers_of_the_metrics(
    voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    log = tmp_path / "log"
    words = arguments(tmp_path, voices, "--wandb", "offline")
    moment = Moment("snac_train.training.stage:Stage.step", 5, number=signal.SIGTERM)
    assert killing.run(words, moment, log=log) == 143, log.read_text()
    assert killing.run([*words, "--resume"], log=log) == 0, log.read_text()
    folder = tmp_path / "runs/one"
    rows = history(folder)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").open()]
    assert len(rows) == len(lines)
    for row, line in zip(rows, lines, strict=True):
        prefix = "" if line["kind"] == "train" else f"{line['kind']}/"
        numbers = {prefix + name: value for name, value in line.items() if name != "kind"}
        numbers.pop(prefix + "stage", None)
        logged = {name: value for name, value in row.items() if not name.startswith("_")}
        assert logged == {**numbers, "samples_seen": line["samples_seen"]}
    files = sorted(folder.glob("wandb/offline-run-*/*.wandb"))
    assert len({file.name for file in files}) == 1  # two processes, one W&B run
    run = json.loads((folder / "run.json").read_text())
    config = read_config(files[0])
    assert config["run"] == {name: run[name] for name in ("base", "base_sha256", "cache", *SIZES)}
    assert config["data"]["codes"] == "cached"
