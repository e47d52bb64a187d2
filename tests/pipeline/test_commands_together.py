"""The commands one after the other, each reading where the one before it wrote."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from workplace import query, run, succeed

from snac_common.artifacts import Artifacts
from snac_eval.comparison.comparability import conditions_of
from snac_eval.comparison.run import read_run
from snac_eval.comparison.sources import find_source
from snac_model import SNAC, load, save
from snac_model.shapes.config import SNAC_24KHZ

QUICK = ["--epochs", 2, "--batch-size", 4, "--segment-schedule", "0.5,0.5,0.5,0.5"]
QUICK += ["--batch-multiplier", "1,1,1,1", "--warmup-lr", "5e-3", "--main-lr", "2e-3"]
QUICK += ["--set", "validation.segment_s=1"]


def make_speech(folder: Path, *, train: int, val: int) -> None:
    """Make speech-like audio with the quick start's own script."""
    succeed("tools.make_speech", "-o", folder, "--train", train, "--val", val)


def train(artifacts: Path, *options: object) -> dict[str, Any]:
    """Train phase 12 on the CPU."""
    return succeed(
        "snac_train.cli.train",
        *("--phase", 12, "--artifacts", artifacts, "--device", "cpu"),
        *("--run", "tried", *options),
    )


def test_from_made_speech_to_a_report(tmp_path: Path) -> None:
    make_speech(tmp_path / "speech", train=8, val=2)
    art = ["--artifacts", tmp_path]
    assert succeed("snac_cache.cli.manifest", tmp_path / "speech", *art)["train"] == 8
    cache = ["--model", "builtin:speech-small", "--device", "cpu"]
    assert succeed("snac_cache.cli.cache", *cache, *art)["rows"] == 10
    trained = train(tmp_path, *QUICK)
    assert trained["best"]["48k"] < 0.95 * trained["starting_model"]["48k"]
    audio = ["-o", tmp_path / "audio", "--model", tmp_path / "runs/tried", "--rate", "both"]
    decoded = succeed("snac_cache.cli.decode", tmp_path / "codes", *audio, "--device", "cpu")
    assert (decoded["utterances"], decoded["rejects"]) == (10, {})
    judged = succeed("snac_eval.cli.evaluate", "tried", "--device", "cpu", "--samples", 1, *art)
    assert judged["utterances"] == 2
    assert "<audio" in Path(judged["report"]).read_text(encoding="utf-8")
    rule = "48k/loss > start * 0.95"
    assert succeed("snac_eval.cli.compare", "tried", "tried", "--fail-if", rule, *art) == {
        "kind": "summary", "runs": ["tried", "tried (2)"], "output": None, "wandb": None,
        "warnings": 0, "broken": [],
    }  # fmt: skip
    known = conditions_of(read_run(find_source("tried", Artifacts(tmp_path))), "48k/loss")
    assert None not in known.values()
    worst = "SELECT utterance_id FROM metrics JOIN codes USING (utterance_id) WHERE rate = 48000"
    asked = run("snac_cache.cli.check", "--sql", worst, "--format", "jsonl", *art)
    assert len({json.loads(line)["utterance_id"] for line in asked.stdout.splitlines()}) == 2


def test_real_speech_keeps_its_splits(tmp_path: Path, speech: Path) -> None:
    art = ["--artifacts", tmp_path]
    found = succeed("snac_cache.cli.manifest", speech / "nathalie", *art)
    assert (found["train"], found["val"], found["rejects"]) == (396, 40, {"too_short": 4})


@pytest.mark.campaign
def test_real_speech_is_learnt_from(tmp_path: Path, speech: Path) -> None:
    art = ["--artifacts", tmp_path]
    succeed("snac_cache.cli.manifest", speech / "nathalie", *art)
    limits = ["--limit", 12, "--val-limit", 2]
    succeed(
        "snac_cache.cli.cache", "--model", "builtin:speech-small", "--device", "cpu", *limits, *art
    )
    folder = "parse_path(filename)[-2]"
    splits = query(f"SELECT {folder}, count(*) FROM '{tmp_path}/codes/*/part-*.parquet' GROUP BY 1")
    assert dict(splits) == {"train": 12, "val": 2}
    trained = train(tmp_path, *QUICK)
    assert trained["best"]["48k"] < 0.95 * trained["starting_model"]["48k"]
    judged = succeed("snac_eval.cli.evaluate", "tried", "--device", "cpu", *art)
    assert judged["losses"]["tried"]["48k/loss"] is not None


@pytest.mark.campaign
def test_the_true_size_trains_two_steps_on_real_files(tmp_path: Path, speech: Path) -> None:
    save(SNAC(**SNAC_24KHZ.to_dict()), tmp_path / "model")
    art = ["--artifacts", tmp_path]
    succeed("snac_cache.cli.manifest", speech / "nathalie", *art)
    limits = ["--limit", 4, "--val-limit", 1]
    cached = succeed(
        "snac_cache.cli.cache", "--model", tmp_path / "model", "--device", "cpu", *limits, *art
    )
    assert cached["rows"] == 5
    short = ["--epochs", 2, "--batch-size", 4, "--segment-schedule", "0.1,0.1,0.1,0.1"]
    short += ["--batch-multiplier", "1,1,1,1", "--set", "validation.segment_s=0.5"]
    trained = train(tmp_path, *short)
    assert trained["steps"] == 2
    lines = (tmp_path / "runs" / "tried" / "metrics.jsonl").read_text().splitlines()
    stages = [row["stage"] for row in map(json.loads, lines) if row["kind"] == "train"]
    assert stages == ["warmup", "main"]
    assert load(tmp_path / "runs" / "tried").geometry.output_rates == (24000, 48000)


def test_no_network_says_what_can_be_given_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", os.fspath(tmp_path / "hub"))
    art = ["--artifacts", tmp_path]
    make_speech(tmp_path / "speech", train=2, val=1)
    succeed("snac_cache.cli.manifest", tmp_path / "speech", *art)
    refused = run("snac_cache.cli.cache", "--model", "nobody/nothing-here", "--device", "cpu", *art)
    assert refused.exit_code == 1
    assert "builtin:NAME (speech-fast, speech-small)" in refused.stderr
