"""All commands with an object store in the place of a folder, each on an empty machine."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from corpora import parquet, utterances, webdataset
from evaluation import read_rows
from killing import Moment, Surroundings, run_command
from object_stores import BUCKET, Store, contents, files_in, running_store
from training import SMALL_CODEC, write_voice
from whole_runs import RECIPE, result, settings
from workplace import query, run, succeed

from snac_cache.work.ray_nodes import Driver, follow
from snac_common.addresses import place
from snac_common.object_store import delete, upload
from snac_common.refresh import refresh
from snac_common.run_mirror import bring_run
from snac_model import save
from snac_model.audio import distant_bytes

MANIFEST, CACHE, TRAIN = "snac_cache.cli.manifest", "snac_cache.cli.cache", "snac_train.cli.train"
EVAL, TOKENS, CHECK = "snac_eval.cli.evaluate", "snac_cache.cli.tokens", "snac_cache.cli.check"
UPSAMPLE, STATUS = "snac_cache.cli.upsample", "snac_train.cli.status"
EXPORT, COMPARE = "snac_model.cli.export", "snac_eval.cli.compare"
NAMES = [f"{'train' if number < 4 else 'val'}/{number}" for number in range(7)]
CPU = ("--device", "cpu", "--workers", 1)
LAYOUT = """offset = 10
codebook_size = 256
order = [0, 1, 2, 2, 1, 2, 2]
id_offset = 1000
"""
BRIEF = RECIPE | {"curriculum.epochs": "2", "curriculum.epoch_ranges": "1,2"}
SHORT = ("--min-duration", 0.01)


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with running_store() as store:
        yield store


Machine = Callable[[], Path]


@pytest.fixture
def machine(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Go on as on a machine whose mirror is empty; returns its mirror."""
    numbers = iter(range(1000))
    store.faults.clear()

    def new() -> Path:
        mirror = tmp_path / f"machine-{next(numbers)}"
        monkeypatch.setenv("SNAC_MIRROR", str(mirror))
        return mirror

    new()
    return new


@pytest.fixture
def address(request: pytest.FixtureRequest) -> str:
    """An artifact root of this test's own."""
    return f"s3://{BUCKET}/{request.node.name.replace('[', '-').replace(']', '')}"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all commands make in a folder of this machine."""
    root = tmp_path_factory.mktemp("local")
    save(SMALL_CODEC(), root / "model")
    (root / "layout.toml").write_text(LAYOUT)
    for seed, name in enumerate(NAMES):
        write_voice(root / f"in/{name}.wav", 0.4 + 0.1 * seed, seed)
    lines = ["utterance_id,text", *(f"in/{name},a text" for name in NAMES)]
    (root / "texts.csv").write_text("\n".join(lines))
    all_commands(root / "artifacts", root)
    return root


def all_commands(
    artifacts: Path | str, local: Path, before: Callable[[], object] = lambda: None
) -> None:
    """Run all commands, on audio and with a model of this machine.

    Args:
        before: called before each of them.
    """
    art = ("--artifacts", artifacts)
    texts = ("--text-from", local / "texts.csv")
    for module, *given in (
        (MANIFEST, local / "in", *SHORT, *art),
        (CACHE, "--model", local / "model", *CPU, "--part-rows", 2, *art),
        (CHECK, *art),
        (TRAIN, *training(artifacts, local)),
        (EVAL, "one", "--base", local / "model", *CPU, "--samples", 0, "--name", "e", *art),
        (TOKENS, "--tokens", local / "layout.toml", *texts, "-o", f"{artifacts}/rows", *art),
    ):
        before()
        succeed(str(module), *given)


def training(artifacts: Path | str, local: Path, *more: object) -> list[object]:
    start = ["--phase", 12, "--artifacts", artifacts, "--run", "one", "--device", "cpu"]
    return [*start, "--base", local / "model", *settings(BRIEF), *more]


def same_run(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert one["files"].keys() == two["files"].keys()
    assert one == two


def test_all_commands_make_in_a_store_what_they_make_in_a_folder(
    local: Path, address: str, machine: Machine
) -> None:
    all_commands(address, local, machine)
    machine()
    there, here = contents(address), files_in(local / "artifacts")
    assert here.keys() <= there.keys() | {"runs/one.pid", "codes/job"}
    for folder in ("manifests", "codes", "rows"):
        names = [name for name in here if name.startswith(folder)]
        assert {name: there[name] for name in names} == {name: here[name] for name in names}
    bring_run(place(address) / "runs/one")
    same_run(result(place(address)), result(local / "artifacts"))
    refresh(place(address) / "eval/e")
    assert read_rows(place(address) / "eval/e") == read_rows(local / "artifacts/eval/e")


@pytest.mark.campaign
def test_other_commands_find_what_is_there(
    local: Path, address: str, machine: Machine, tmp_path: Path
) -> None:
    for name, content in files_in(local / "artifacts").items():
        (tmp_path / "file").write_bytes(content)
        upload(tmp_path / "file", f"{address}/{name}")
    art = ("--artifacts", address)
    machine()
    assert succeed(STATUS, *art)["states"] == {"finished": 1}
    machine()
    assert succeed(COMPARE, "one", *art)["warnings"] == 0
    machine()
    codes = succeed(STATUS, "--codes", f"{address}/codes")
    assert (codes["folder"], codes["finished"]) == (f"{address}/codes", codes["parts"])
    machine()
    asked = run(CHECK, "--sql", "SELECT count(DISTINCT utterance_id) n FROM metrics", *art)
    assert '{"n": 3}' in asked.stdout
    succeed(EVAL, "one", "--base", local / "model", *CPU, "--samples", 0, "--name", "e", *art)
    machine()
    rebuilt = succeed(EVAL, "--report-only", "--name", "e", "--samples", 1, *art)
    assert (rebuilt["samples"], rebuilt["report"]) == (1, f"{address}/eval/e/report.html")
    machine()
    exported = succeed(EXPORT, "one", *art)
    assert exported["output"] == f"{address}/export/one"
    assert "config.json" in contents(f"{address}/export/one")
    machine()
    again = run(TRAIN, *training(address, local))
    assert (again.exit_code, "already holds a run" in again.stderr) == (1, True)


@pytest.mark.campaign
@pytest.mark.parametrize("call", [2, 5])
def test_a_cache_is_carried_on_by_another_machine(
    local: Path, address: str, machine: Machine, tmp_path: Path, call: int
) -> None:
    """Killed when a part is in the store, but not yet on the disk."""
    given = ("--model", local / "model", *CPU, "--part-rows", 2, "--artifacts", address)
    succeed(MANIFEST, local / "in", *SHORT, "--artifacts", address)
    here = files_in(local / "artifacts/codes")
    for _ in range(20):
        mirror = machine()
        moment = Moment("snac_common.copying:upload", call)
        around = Surroundings(environment={"SNAC_MIRROR": str(mirror), **environment()})
        if run_command(CACHE, given, moment, log=tmp_path / "log", surroundings=around) == 0:
            break
        there = contents(f"{address}/codes")
        names = [name for name in there if "part-" in name]
        assert {name: there[name] for name in names} == {name: here[name] for name in names}
    machine()
    succeed(CACHE, *given)
    assert contents(f"{address}/codes") == here


def test_ranks_on_machines_that_share_no_folder_make_one_cache(
    local: Path, address: str, machine: Machine
) -> None:
    given = ("--model", local / "model", *CPU, "--part-rows", 2, "--artifacts", address)
    succeed(MANIFEST, local / "in", *SHORT, "--artifacts", address)
    left = []
    for rank in ("0/2", "1/2"):
        machine()
        left.append(succeed(CACHE, *given, "--rank", rank)["parts_left_to_other_ranks"])
    assert left == [2, 0]
    assert contents(f"{address}/codes") == files_in(local / "artifacts/codes")


def test_a_machine_of_a_cluster_need_not_see_what_is_in_a_store(
    address: str, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert follow(Driver.this(place(address) / "codes")) == ""
    assert "does not see" in follow(Driver.this(tmp_path / "codes"))


def environment() -> dict[str, str]:
    return {name: os.environ[name] for name in os.environ if name.startswith("AWS_")}


@pytest.mark.parametrize(
    "call", [9, *(pytest.param(call, marks=pytest.mark.campaign) for call in (3, 12, 15, 22, 26))]
)
def test_a_run_is_carried_on_by_another_machine(
    local: Path, address: str, machine: Machine, tmp_path: Path, call: int
) -> None:
    """Killed in the middle of a copy up; elsewhere it becomes the run that was not killed."""
    for module, *given in (
        (MANIFEST, local / "in", *SHORT),
        (CACHE, "--model", local / "model", *CPU),
    ):
        succeed(module, *given, "--artifacts", address)
    given = training(address, local, "--resume", "auto")
    around = Surroundings(environment={"SNAC_MIRROR": str(machine()), **environment()})
    moment = Moment("snac_common.run_mirror:upload", call)
    assert run_command(TRAIN, given, moment, log=tmp_path / "log", surroundings=around) == -9
    machine()
    succeed(TRAIN, *given)
    machine()
    bring_run(place(address) / "runs/one")
    same_run(result(place(address)), result(local / "artifacts"))


@pytest.mark.campaign
@pytest.mark.parametrize("fault", ["busy", "lost", "torn", "slow"])
def test_all_commands_get_through_a_bad_network(
    local: Path, address: str, machine: Machine, store: Store, fault: str
) -> None:
    """Every fourth request fails, whatever it is."""

    def on_a_bad_network() -> None:
        machine()
        store.faults.extend([None, None, None, fault] * 1000)

    all_commands(address, local, on_a_bad_network)
    store.faults.clear()
    machine()
    there, here = contents(address), files_in(local / "artifacts")
    names = [name for name in here if name.startswith(("manifests", "codes", "rows"))]
    assert {name: there[name] for name in names} == {name: here[name] for name in names}
    bring_run(place(address) / "runs/one")
    same_run(result(place(address)), result(local / "artifacts"))


# audio in a store


def put_folder(folder: Path, address: str) -> None:
    for name in files_in(folder):
        upload(folder / name, f"{address}/{name}")


def rows(artifacts: Path) -> list[tuple[Any, ...]]:
    """Return what a cache holds, but for where the audio lies."""
    codes = ", ".join(f"codes_{level}" for level in range(3))
    return query(
        f"SELECT utterance_id, num_frames, audio_fingerprint, {codes} "
        f"FROM '{artifacts}/codes/*/part-*.parquet' ORDER BY utterance_id"
    )


@pytest.mark.parametrize("form", ["files", "webdataset", "parquet"])
def test_audio_in_a_store_gives_the_same_codes(
    local: Path, address: str, machine: Machine, store: Store, form: str
) -> None:
    tmp_path = machine().parent
    if form == "files":
        shutil.copytree(local / "in", tmp_path / "in")
    else:
        {"webdataset": webdataset, "parquet": parquet}[form](tmp_path / "in", utterances(12))
    put_folder(tmp_path / "in", f"{address}/in")
    found = {}
    for source in (tmp_path / "in", f"{address}/in"):
        mirror, art = machine(), tmp_path / ("local" if source == tmp_path / "in" else "distant")
        store.requests.clear()
        made = succeed(MANIFEST, source, *SHORT, "--artifacts", art)
        assert made["rejects"] == {}
        scanned = len(store.requests)
        succeed(CACHE, "--model", local / "model", *CPU, "--artifacts", art)
        found[art.name] = rows(art)
    assert found["distant"] == found["local"]
    paths = query(f"SELECT audio_path FROM '{art}/manifests/*[nl].parquet'")
    assert all(path.startswith(f"{address}/in/") for (path,) in paths)
    count = len(found["local"])
    assert scanned <= 4 + count + 3 * 2  # a listing, and a request for each; a tar or a file more
    assert len(store.requests) - scanned <= count + 6
    assert not [path for path in mirror.rglob("*") if path.is_file() and path.stat().st_size]


def test_what_is_not_there_any_more_is_a_reject_and_a_lost_network_is_none(
    local: Path, address: str, machine: Machine, store: Store, tmp_path: Path
) -> None:
    put_folder(local / "in", f"{address}/in")
    art = ("--artifacts", tmp_path)
    succeed(MANIFEST, f"{address}/in", *SHORT, *art)
    delete(f"{address}/in/train/1.wav")
    given = ("--model", local / "model", *CPU, *art)
    distant_bytes._kept.forget()
    store.faults.extend([None, None, *["busy"] * 100])
    with patch.dict(os.environ, AWS_MAX_ATTEMPTS="1"):
        lost = run(CACHE, *given)
    store.faults.clear()
    assert (lost.exit_code, "same command carries on" in lost.stderr) == (1, True)
    made = succeed(CACHE, *given, "--max-reject-rate", 1)
    assert (made["rows"], made["rejects"]) == (6, {"unreadable": 1})


def test_what_cannot_be_read_in_a_store_is_said(
    address: str, machine: Machine, tmp_path: Path, local: Path
) -> None:
    art = ("--artifacts", tmp_path)
    nothing = run(MANIFEST, f"{address}/nothing", *art)
    assert (nothing.exit_code, "there is nothing at s3://" in nothing.stderr) == (2, True)
    (tmp_path / "wav.scp").write_text("a a.wav\n")
    upload(tmp_path / "wav.scp", f"{address}/kaldi/wav.scp")
    refused = run(MANIFEST, f"{address}/kaldi", *art)
    assert (refused.exit_code, "Copy them to this machine" in refused.stderr) == (2, True)
    assert f"{address}/kaldi is read as kaldi" in refused.stderr
    given = run(UPSAMPLE, "--engine", "files", "--from", f"train={address}/in", *art)
    assert (given.exit_code, "column target_path" in given.stderr) == (2, True)


def test_a_table_here_may_name_audio_there(
    local: Path, address: str, machine: Machine, tmp_path: Path
) -> None:
    put_folder(local / "in", f"{address}/in")
    table = tmp_path / "table.csv"
    lines = ["path,text,split", *(f"{address}/in/{name}.wav,hello,{name[:-2]}" for name in NAMES)]
    table.write_text("\n".join(lines))
    succeed(MANIFEST, table, *SHORT, "--artifacts", tmp_path)
    made = query(f"SELECT audio_path, text FROM '{tmp_path}/manifests/*[nl].parquet' ORDER BY 1")
    assert made == [(f"{address}/in/{name}.wav", "hello") for name in NAMES]


@pytest.mark.campaign
@pytest.mark.parametrize("shards", [False, True])
def test_targets_in_a_store_are_trained_from(
    local: Path, address: str, machine: Machine, tmp_path: Path, shards: bool
) -> None:
    """Made by one machine, carried on by another, read by a third that has none of them."""
    for seed, name in enumerate(NAMES):
        write_voice(tmp_path / f"in/{name}.wav", 0.4 + 0.1 * seed, seed, rate=24_000)
    results = []
    for artifacts in (tmp_path / "local", address):
        art = ("--artifacts", artifacts)
        machine()
        succeed(MANIFEST, tmp_path / "in", *SHORT, *art)
        machine()
        options = ("--engine", "resample", "--workers", 1, *(["--shards"] if shards else []))
        assert succeed(UPSAMPLE, *options, *art)["made"] == 7
        machine()
        again = succeed(UPSAMPLE, *options, *art)
        assert (again["made"], again["skipped"]) == (0, 7)
        machine()
        succeed(CACHE, "--model", local / "model", *CPU, *art)
        mirror = machine()
        succeed(TRAIN, *training(artifacts, local), "--workers", 0)
        assert not list(mirror.rglob("*.flac"))
        machine()
        bring_run(place(artifacts) / "runs/one")
        results.append(result(place(artifacts)))
    same_run(*results)
