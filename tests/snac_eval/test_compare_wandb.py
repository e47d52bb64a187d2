"""Comparisons in Weights & Biases, offline: what is logged there, and runs read from there."""

import json
import os
import struct
import subprocess
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from runs import ENTRIES, RECIPE, STATE, scaled, write_run
from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]
from wandb_files import history, settle
from wandb_server import ENTITY, PROJECT, RUN, serve
from workplace import command, last_line, run

from snac_common.errors import Failure
from snac_eval.comparison.wandb_file import read_history
from snac_train.recipe.load import load_recipe
from snac_train.recipe.tables import Tracking
from snac_train.run.wandb_run import WandbRun


@pytest.fixture(autouse=True)
def no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def compare(root: Path, *arguments: object) -> Result:
    return run("snac_eval.cli.compare", "--artifacts", root, *arguments)


def test_tables_and_curves_hold_the_numbers_of_the_metrics(tmp_path: Path) -> None:
    write_run(tmp_path, "first")
    write_run(tmp_path, "second", scaled(0.9), optimizer__main_lr=1e-4)
    result = compare(tmp_path, "first", "second", "--wandb", "offline")
    assert result.exit_code == 0, result.stderr
    place = Path(last_line(result)["wandb"])
    tables = place / "files" / "media" / "table"
    [curve] = (tables / "curves" / "48k").glob("loss*.json")
    logged = {tuple(point) for point in json.loads(curve.read_text())["data"]}
    assert logged == {
        (line["samples_seen"], name, line["48k/loss"])
        for name, entries in (("first", ENTRIES), ("second", scaled(0.9)))
        for line in entries
        if line["kind"] == "val"
    }
    jsonl = compare(tmp_path, "first", "second", "--format", "jsonl").stdout.splitlines()
    scores = [line for line in map(json.loads, jsonl) if line["kind"] == "score"]
    [table] = tables.glob("scores*.json")
    assert json.loads(table.read_text())["data"] == [list(row.values())[1:] for row in scores]
    [table] = tables.glob("recipes*.json")
    assert json.loads(table.read_text())["data"] == [["optimizer.main_lr", "5e-05", "0.0001"]]
    assert "scores" in {name.split(".")[0] for row in history(tmp_path) for name in row}


def test_a_run_that_w_and_b_kept_offline_reads_as_its_folder(tmp_path: Path) -> None:
    recipe = load_recipe(12)
    many = [{**line, "step": n, "samples_seen": n} for n, line in enumerate(ENTRIES * 300)]
    (folder := tmp_path / "runs" / "one").mkdir(parents=True)
    (folder / "recipe.toml").write_text(recipe.to_toml())
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in many))
    kept = WandbRun(
        "offline", tmp_path, "one", config=asdict(recipe), tracking=Tracking(1, "p", ""), run_id="x"
    )
    for number, line in enumerate(many):
        kept.log(line, number)
    kept.finish(failed=False)
    settle()
    result = compare(tmp_path, "one", kept.where, "--format", "jsonl")
    assert result.exit_code == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    scores = [line for line in lines if line["kind"] == "score"]
    blank = ("run", "over_first")
    one, other = (
        [{k: v for k, v in row.items() if k not in blank} for row in scores if row["run"] == name]
        for name in ("one", Path(kept.where).name)
    )
    assert one == other
    assert [row["over_first"] for row in scores if row["run"] != "one"] == [0.0] * len(other)
    assert not [line for line in lines if line["kind"] == "difference"]


def test_runs_kept_offline_on_different_data_are_not_compared(tmp_path: Path) -> None:
    write_run(tmp_path, "one")
    facts = STATE | {"counts": {"train": 90, "val": 9}}
    kept = WandbRun(
        "offline",
        tmp_path,
        "other",
        config={**RECIPE, "run": facts},
        tracking=Tracking(1, "p", ""),
        run_id=None,
    )
    for number, line in enumerate(ENTRIES):
        kept.log(line, number)
    kept.finish(failed=False)
    settle()
    result = compare(tmp_path, "one", kept.where)
    assert "validation utterances (10 and 9)" in result.stdout


def kept_offline(root: Path) -> Path:
    """Return the file of a run that W&B kept offline."""
    tracking = Tracking(1, "p", "")
    kept = WandbRun("offline", root, "one", config={}, tracking=tracking, run_id=None)
    for number, line in enumerate(ENTRIES):
        kept.log(line, number)
    kept.finish(failed=False)
    settle()
    [file] = Path(kept.where).glob("*.wandb")
    return file


def test_half_a_file_is_read_as_far_as_it_goes_and_another_file_is_named(tmp_path: Path) -> None:
    file = kept_offline(tmp_path)
    content = file.read_bytes()
    for size in (len(content) // 2, len(content) - 1):
        file.write_bytes(content[:size])
        result = compare(tmp_path, file.parent)
        assert result.exit_code == 0, (size, result.stderr)
    for odd in (b"", content[:7], content[:20], b"x", b"x" * 7 + content[7:], b"PAR1" + content):
        file.write_bytes(odd)
        result = compare(tmp_path, file.parent)
        assert (result.exit_code, "is damaged, or no file of W&B" in result.stderr) == (1, True)


def test_every_flipped_bit_of_a_record_is_noticed(tmp_path: Path) -> None:
    file = kept_offline(tmp_path)
    content = file.read_bytes()
    whole = list(read_history(file))
    for position in range(7, len(content), 41):
        damaged = bytearray(content)
        damaged[position] ^= 0x04
        file.write_bytes(damaged)
        try:
            found = list(read_history(file))
        except Failure:
            continue
        # a length may come to point behind the end, as in a file that is still being written
        assert found == whole[: len(found)], position


def test_a_value_that_is_not_json_is_named(tmp_path: Path) -> None:
    file = tmp_path / "offline" / "run-x.wandb"
    file.parent.mkdir()
    records = [Record(), Record()]
    records[0].run.config.update.add(key="base", value_json='"b"')
    records[1].history.item.add(key="step", value_json="one")
    fragments = [(bytes([1]) + record.SerializeToString()) for record in records]
    file.write_bytes(
        b":W&B\xe1\xbe\x00"
        + b"".join(struct.pack("<IH", zlib.crc32(f), len(f) - 1) + f for f in fragments)
    )
    result = compare(tmp_path, file.parent)
    assert (result.exit_code, "a value is not JSON" in result.stderr) == (1, True)


def test_an_online_run_reads_as_its_folder(tmp_path: Path) -> None:
    many = [{**line, "step": n, "samples_seen": n} for n, line in enumerate(ENTRIES * 250)]
    write_run(tmp_path, "one", many)
    with serve("far away", RECIPE, [logged(line, n) for n, line in enumerate(many)]) as address:
        result = ask_online(address, tmp_path, "one", f"{ENTITY}/{PROJECT}/{RUN}")
        assert result.returncode == 0, result.stderr
        missing = ask_online(address, tmp_path, f"{ENTITY}/{PROJECT}/other")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    here, there = (
        [
            {name: value for name, value in line.items() if name not in ("run", "over_first")}
            for line in lines
            if line.get("run") == run
        ]
        for run in ("one", "far away")
    )
    assert len(here) == 3
    assert here == there
    assert (missing.returncode, "Could not find run" in missing.stderr) == (1, True)


def logged(line: dict[str, Any], number: int) -> dict[str, Any]:
    """Return the row of a history that snac-train's W&B run makes of a line."""
    prefix = "" if line["kind"] == "train" else f"{line['kind']}/"
    row = {prefix + name: value for name, value in line.items() if name != "kind"}
    return row | {"samples_seen": line["samples_seen"], "_step": number}


def ask_online(address: str, root: Path, *names: str) -> subprocess.CompletedProcess[str]:
    """Compare in a process of its own, whose W&B is at ``address``."""
    where = {"WANDB_BASE_URL": address, "WANDB_API_KEY": "a" * 40, "WANDB_CACHE_DIR": str(root)}
    words = command("snac_eval.cli.compare", "--artifacts", root, *names, "--format", "jsonl")
    return subprocess.run(
        words, env={**os.environ, **where}, capture_output=True, text=True, check=False, timeout=120
    )


def test_without_a_key_an_online_run_is_a_clear_error(tmp_path: Path) -> None:
    result = compare(tmp_path, "someone/project/abc123")
    assert result.exit_code == 1
    assert "cannot read someone/project/abc123 from Weights & Biases" in result.stderr
    assert "give the run's folder" in result.stderr
