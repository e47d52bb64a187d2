"""Killed anywhere, carried on: the cache is the one of a command that was left alone."""

import os
import shutil
import signal
from contextlib import suppress
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import killing
import pytest
from killing import Moment, Surroundings
from workplace import query, run, snapshot, succeed, write_tone

CACHE, MANIFEST = "snac_cache.cli.cache", "snac_cache.cli.manifest"
PARTS, PREPARE = "snac_cache.store.parts", "snac_cache.encoding.prepare"
GONE = (1, 4)  # files that are in the manifest, and then no more: each is the reject of a part

MOMENTS = {
    "before the plan": Moment(f"{PREPARE}:write_plan", 1, after=False),
    "after the plan": Moment(f"{PREPARE}:write_plan", 1),
    "between rejects and codes": Moment(f"{PARTS}:_write_rejects", 1),
    "with codes half written": Moment("pyarrow.parquet:write_table", 2),
    "before the second part": Moment(f"{PARTS}:codes_table", 2, after=False),
    "before the totals": Moment("snac_cache.encoding.build:write_description", 1, after=False),
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Path:
    """Manifests of four and of all eight utterances, and the caches that come of them."""
    root = tmp_path_factory.mktemp("corpus")
    for number in range(8):
        write_tone(root / "in" / f"{number}.wav", 1.0 + number / 20, 24_000)
        if number in (3, 7):
            succeed(MANIFEST, root / "in", "-o", root / f"manifests-{number + 1}", "--val-ratio", 0)
    for number in GONE:
        (root / "in" / f"{number}.wav").unlink()
    succeed(CACHE, *options(root, model_folder, root / "plain"))
    succeed(CACHE, *options(root, model_folder, root / "few", utterances=4))
    shutil.copytree(root / "few", root / "appended")
    succeed(CACHE, *options(root, model_folder, root / "appended"), "--append")
    return root


def options(root: Path, model: Path, codes: Path, *, utterances: int = 8) -> list[object]:
    """Return what runs of snac-cache here are given; two of the utterances are rejected."""
    manifest = ["--manifest", root / f"manifests-{utterances}", "--max-reject-rate", 0.5]
    one = ["--device", "cpu", "--workers", 1, "--part-rows", 2]
    return ["--model", model, "--codes", codes, *manifest, *one]


@pytest.mark.parametrize("kind", ["plain", pytest.param("appended", marks=pytest.mark.campaign)])
@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_at_a_chosen_moment(
    corpus: Path, tmp_path: Path, model_folder: Path, kind: str, moment: Moment
) -> None:
    codes, log = tmp_path / "codes", tmp_path / "log"
    command = options(corpus, model_folder, codes)
    if kind == "appended":
        shutil.copytree(corpus / "few", codes)
        command.append("--append")
    assert killing.run_command(CACHE, command, moment, log=log) == -signal.SIGKILL, log.read_text()
    succeed(CACHE, *command)
    assert visible(codes) == visible(corpus / kind)
    assert accounted(codes) == [f"in/{number}" for number in range(8)]


@pytest.mark.parametrize(
    "call", [1, 6, *(pytest.param(call, marks=pytest.mark.campaign) for call in (2, 4, 8))]
)
@pytest.mark.parametrize("part_rows", [2, 8])
def test_while_it_deletes_for_overwriting(
    corpus: Path, tmp_path: Path, model_folder: Path, call: int, part_rows: int
) -> None:
    """What is left is carried on from, or refused; it never counts in another cache."""
    codes, log = tmp_path / "codes", tmp_path / "log"
    shutil.copytree(corpus / "plain", codes)
    command = [*options(corpus, model_folder, codes), "--part-rows", part_rows]
    moment = Moment("pathlib:Path.unlink", call)
    killed = killing.run_command(CACHE, [*command, "--overwrite"], moment, log=log)
    assert killed == -signal.SIGKILL, log.read_text()
    carried_on = run(CACHE, *command)
    if carried_on.exit_code:
        assert "whose deletion was interrupted" in carried_on.stderr
        succeed(CACHE, *command, "--overwrite")
    assert accounted(codes) == [f"in/{number}" for number in range(8)]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.campaign),
        (signal.SIGTERM, 143),
        (signal.SIGKILL, -9),
    ],
)
def test_with_workers(
    tmp_path: Path, model_folder: Path, manifest_folder: Path, number: int, code: int
) -> None:
    where = ["--model", model_folder, "--manifest", manifest_folder, "--device", "cpu"]
    where += ["--part-rows", 3]
    succeed(CACHE, *where, "--codes", tmp_path / "whole")
    cut = [*where, "--codes", tmp_path / "cut"]
    process = start_and_halt([*cut, "--workers", 2], tmp_path / "log")
    os.kill(process.pid or 0, number)
    go_on(process)
    assert process.exitcode == code
    succeed(CACHE, *cut)
    assert visible(tmp_path / "cut") == visible(tmp_path / "whole")


def test_a_worker_that_dies_takes_the_command_down(
    tmp_path: Path, model_folder: Path, manifest_folder: Path
) -> None:
    where = ["--model", model_folder, "--manifest", manifest_folder, "--codes", tmp_path / "codes"]
    where += ["--device", "cpu", "--part-rows", 3]
    process = start_and_halt([*where, "--workers", 2], tmp_path / "log")
    os.kill(killing.workers(process)[-1], signal.SIGKILL)
    go_on(process)
    assert process.exitcode == 1
    assert "a worker died" in (tmp_path / "log").read_text()
    again = succeed(CACHE, *where)
    assert again["rows"] + again["skipped_rows"] == 12


def test_a_full_disk_is_a_clear_error_and_leaves_no_torn_part(
    corpus: Path, tmp_path: Path, model_folder: Path
) -> None:
    """A limit on the size of files stands in for the full disk: writing fails half way."""
    codes, log = tmp_path / "codes", tmp_path / "log"
    where = [*options(corpus, model_folder, codes), "--part-rows", 8]
    full = Surroundings(largest_file=6500)
    assert killing.run_command(CACHE, where, log=log, surroundings=full) == 1
    assert "cannot write" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert not list(codes.rglob("part-*.parquet"))
    assert not list(codes.rglob("*.partial"))
    assert succeed(CACHE, *where)["rows"] == 6


def visible(codes: Path) -> dict[str, bytes]:
    """Return all that a reader can see: not what a killed writer left under a temporary name."""
    return {name: data for name, data in snapshot(codes).items() if not name.endswith(".partial")}


def accounted(codes: Path) -> list[str]:
    """Return the ids that are cached or rejected, as often as they are."""
    parts = f"'{codes}/*/part-*.parquet', '{codes}/rejects/*.parquet'"
    rows = query(f"SELECT utterance_id FROM read_parquet([{parts}], union_by_name=true) ORDER BY 1")
    return [utterance_id for (utterance_id,) in rows]


def start_and_halt(arguments: list[object], log: Path) -> ForkServerProcess:
    """Start snac-cache; return when it has halted in the midst: a worker asks for a third part."""
    third = Moment("snac_cache.work.workers:islice", 3, after=False, number=signal.SIGSTOP)
    process = killing.start(CACHE, arguments, third, log=log)
    killing.wait_until_stopped(process)
    assert process.exitcode is None, log.read_text()
    return process


def go_on(process: ForkServerProcess) -> None:
    """Let a process go on that has halted, if it was not killed, and wait for its end."""
    with suppress(ProcessLookupError):
        os.kill(process.pid or 0, signal.SIGCONT)
    process.join()
