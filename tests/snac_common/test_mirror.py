"""The mirror of an object store: what is put, fetched and removed, and what is told of errors."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from object_stores import BUCKET, Store, contents, files_in, running_store
from workplace import run

from snac_common import run_mirror
from snac_common.addresses import LISTED, address, is_address, local, mirror, place, said
from snac_common.artifacts import Artifacts
from snac_common.copying import remove
from snac_common.errors import BadInput, Failure
from snac_common.files import atomic_folder, check_writable, write_text
from snac_common.object_store import Object, delete, list_objects, read, upload
from snac_common.options import artifacts_option, manifest_option
from snac_common.refresh import refresh
from snac_common.run_mirror import bring_model, bring_run, bring_runs, is_small, send_run
from snac_common.run_record import RECORD
from snac_common.store_access import filesystem
from snac_common.tool import Tool


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with running_store() as store:
        yield store


@pytest.fixture
def root(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> str:
    """An address of this test's own, mirrored in a folder of its own."""
    use_machine(monkeypatch, tmp_path / "one")
    store.faults.clear()
    return f"s3://{BUCKET}/{request.node.name.replace('[', '-').replace(']', '')}"


def use_machine(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Go on as on another machine, or on one that was used before."""
    monkeypatch.setenv("SNAC_MIRROR", str(folder))


def settle() -> None:
    """Let time pass that tells what is older than a listing."""
    time.sleep(0.15)


# addresses


def test_a_path_in_the_mirror_tells_its_address(root: str) -> None:
    for where in (root, f"{root}/codes/train/part-00000.parquet", "gs://bucket/x y/ü"):
        assert address(place(where)) == where
        assert said(place(where)) == where
        assert is_address(where)
    assert address("s3:/bucket/x") == "s3://bucket/x"  # as a Path writes it
    assert place("artifacts") == Path("artifacts")
    assert address("artifacts") is None
    assert address(mirror() / "s3/bucket/.mapped/x.arrow") is None
    assert address(mirror() / LISTED / "s3/bucket/x.tar") == "s3://bucket/x.tar"
    assert not is_address("builtin:speech-small")


@pytest.mark.parametrize("where", ["ftp://host/x", "http://host/x", "s3://bucket/.hidden/x"])
def test_an_address_that_cannot_be_used_is_refused(where: str) -> None:
    with pytest.raises(BadInput, match=r"no address|a dot"):
        place(where)


def test_options_take_addresses_and_say_them(root: str) -> None:
    from snac_common.console import note, print_summary

    @click.command(cls=Tool, example="tool")
    @artifacts_option
    @manifest_option
    def tool(artifacts: Path, manifest: str) -> None:
        note(f"reading {manifest}")
        print_summary(codes=str(Artifacts.at(artifacts).codes))

    result = CliRunner().invoke(tool, ["--artifacts", root, "--manifest", f"{root}/x.jsonl"])
    assert result.stdout == f'{{"codes": "{root}/codes"}}\n'
    assert result.stderr == f"reading {root}/x.jsonl\n"
    wrong = CliRunner().invoke(tool, ["--artifacts", "ftp://host/x"])
    assert wrong.exit_code == 2
    assert "Known are s3://" in wrong.stderr


def test_an_address_is_not_taken_for_a_path(tmp_path: Path) -> None:
    @click.command(cls=Tool, example="tool")
    @click.argument("sources", nargs=-1, type=click.Path(path_type=Path))
    @click.option("-o", "--output", type=click.Path(path_type=Path), help="File.")
    def tool(sources: tuple[Path, ...], output: Path | None) -> None:
        pass

    assert CliRunner().invoke(tool, ["a", "b:c", "-o", "x"]).exit_code == 0
    for given, name in ((["a", "s3://bucket/x"], "sources"), (["-o", "s3://bucket/x"], "--output")):
        refused = CliRunner().invoke(tool, given)
        said = f"error: {name} is a path on this machine, not s3://bucket/x."
        assert (refused.exit_code, said in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("module", "arguments", "name"),
    [
        ("decode", ["codes.json", "-o", "s3://bucket/audio"], "--output"),
        ("decode", ["s3://bucket/codes", "-o", "audio"], "sources"),
        ("encode", ["a.wav", "-o", "s3://bucket/codes.parquet"], "--output"),
    ],
)
def test_conversion_is_of_this_machines_files(module: str, arguments: list[str], name: str) -> None:
    refused = run(f"snac_cache.cli.{module}", *arguments)
    assert refused.exit_code == 2
    assert f"error: {name} is a path on this machine, not s3://bucket/" in refused.stderr


# writing and reading


def test_what_is_written_is_in_the_store_and_comes_to_another_machine(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = place(root)
    write_text(folder / "a/b.txt", "first")
    write_text(folder / "a/.hidden", "of this machine alone")
    write_text(folder / ".mapped/c.txt", "too")
    write_text(folder / "soon.json", "written anew", durable=False)
    assert contents(root) == {"a/b.txt": b"first"}
    use_machine(monkeypatch, tmp_path / "two")
    refresh(place(root))
    assert files_in(place(root)) == {"a/b.txt": b"first"}
    write_text(place(root) / "a/b.txt", "again")
    use_machine(monkeypatch, tmp_path / "one")
    refresh(folder)
    assert (folder / "a/b.txt").read_text() == "again"
    assert (folder / "a/.hidden").exists()


def test_nothing_is_fetched_that_is_here(root: str, store: Store) -> None:
    folder = place(root)
    write_text(folder / "a.txt", "a")
    store.requests.clear()
    refresh(folder)
    assert [method for method, _ in store.requests] == ["GET"]  # the listing
    write_text(place(f"{root}/one/file.txt"), "b")
    place(f"{root}/one/file.txt").unlink()
    refresh(place(f"{root}/one/file.txt"))
    assert place(f"{root}/one/file.txt").read_text() == "b"


def test_an_object_of_equal_size_is_told_apart(root: str) -> None:
    path = place(root) / "a.txt"
    write_text(path, "one")
    before = Object.copied(path)
    (path.parent / ".two").write_text("two")
    upload(path.parent / ".two", f"{root}/a.txt")
    refresh(path)
    assert path.read_text() == "two"
    assert Object.copied(path) != before
    path.write_text("own")  # by hand
    refresh(path)
    assert path.read_text() == "two"


def test_what_is_removed_is_removed_everywhere(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.txt", "b/c.txt", "b/d.txt"):
        write_text(place(root) / name, name)
    use_machine(monkeypatch, tmp_path / "two")
    refresh(place(root))
    settle()
    remove(place(root) / "b")
    remove(place(root) / "gone.txt")
    assert set(contents(root)) == {"a.txt"} == set(files_in(place(root)))
    use_machine(monkeypatch, tmp_path / "one")
    refresh(place(root))
    assert set(files_in(place(root))) == {"a.txt"}


def test_what_a_process_writes_while_another_refreshes_stays(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = place(root)
    write_text(folder / "old.txt", "old")
    settle()

    def list_then_write(where: str) -> dict[str, Object]:
        found = list_objects(where)
        write_text(folder / "new.txt", "new")
        write_text(folder / "old.txt", "newer")
        return found

    monkeypatch.setattr("snac_common.refresh.list_objects", list_then_write)
    refresh(folder)
    assert files_in(folder) == {"new.txt": b"new", "old.txt": b"newer"} == contents(root)


def test_a_folder_is_replaced_in_whole(root: str) -> None:
    folder = place(root) / "rows"
    for content in ("one", "two"):
        with atomic_folder(folder) as new:
            (new / "train").mkdir()
            (new / "train" / f"{content}.parquet").write_text(content)
            (new / "facts.json").write_text(content)
    assert contents(f"{root}/rows") == {"train/two.parquet": b"two", "facts.json": b"two"}
    before = Object.copied(folder / "facts.json")
    refresh(folder)
    assert Object.copied(folder / "facts.json") == before


def test_files_of_no_store_stay_as_they_are(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "a")
    refresh(tmp_path, None, "-")
    assert files_in(tmp_path) == {"a.txt": b"a"}


@pytest.mark.campaign
def test_a_large_file_goes_up_in_parts_and_comes_back_whole(root: str, tmp_path: Path) -> None:
    content = os.urandom(2**20) * 110  # what s3fs puts in several parts
    (tmp_path / "large").write_bytes(content)
    found = upload(tmp_path / "large", f"{root}/large")
    assert found.size == len(content)
    assert read(f"{root}/large", 5, 9) == content[5:9]
    refresh(place(root))
    assert (place(root) / "large").read_bytes() == content
    assert read(f"{root}/large", len(content), len(content) + 1) == b""


# faults


@pytest.mark.parametrize("fault", ["busy", "slow", "lost", "torn"])
def test_what_fails_for_a_moment_is_tried_again(root: str, store: Store, fault: str) -> None:
    path = place(root) / "a.txt"
    for before in range(2):  # of the requests of each act: to put and look; to list, look and get
        store.faults.extend([None] * before + [fault])
        write_text(path, "x" * 10_000)
        assert not store.faults
        path.unlink()
        store.faults.extend([None] * (before + 1) + [fault])
        refresh(path)
        assert not store.faults
        assert path.read_text() == "x" * 10_000


def test_a_store_that_stays_away_is_told_and_nothing_is_left(
    root: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    filesystem("s3").clear_instance_cache()
    path = place(root) / "a.txt"
    store.faults.extend(["busy"] * 100)
    with pytest.raises(Failure, match=r"cannot write s3://.*slow down.* the same command carries"):
        write_text(path, "a")
    assert files_in(path.parent) == {}
    store.faults.clear()
    assert contents(root) == {}
    write_text(path, "a")
    assert contents(root) == {"a.txt": b"a"}
    filesystem("s3").clear_instance_cache()


def test_a_put_that_is_killed_leaves_nothing_half(root: str, store: Store, tmp_path: Path) -> None:
    """Killed while the server has the request, and between the store and the disk."""
    program = (
        "import sys; from pathlib import Path; from snac_common import files; "
        "from snac_common.addresses import place; "
        "exec(sys.argv[2]); files.write_text(place(sys.argv[1]), 'x' * 5_000_000)"
    )
    killed = "import os; Path.replace = lambda *_: os.kill(os.getpid(), 9)"
    for number, (faults, spoil) in enumerate([(["slow"], ""), ([], killed)]):
        store.faults.extend(faults)
        where = f"{root}/{number}.txt"
        process = subprocess.Popen([sys.executable, "-c", program, where, spoil])
        if faults:
            while process.poll() is None and not any(act == "PUT" for act, _ in store.requests):
                time.sleep(0.01)
            process.kill()
        process.wait()
        assert process.returncode == -9
        settle()
        refresh(place(root))
        there = contents(root)
        assert there == files_in(place(root))
        assert all(len(content) == 5_000_000 for content in there.values())
        store.requests.clear()
        store.faults.clear()


# what a person is told


@pytest.mark.parametrize("act", ["list", "read", "write"])
def test_a_bucket_that_is_not_there_is_named(root: str, tmp_path: Path, act: str) -> None:
    (tmp_path / "x").write_text("x")
    acts = {
        "list": lambda: refresh(place("s3://nowhere/x")),
        "read": lambda: read("s3://nowhere/x"),
        "write": lambda: upload(tmp_path / "x", "s3://nowhere/x"),
    }
    with pytest.raises(Failure, match=r"there is no bucket nowhere.*AWS_ENDPOINT_URL"):
        acts[act]()


def test_an_object_that_is_not_there_is_another_thing(root: str) -> None:
    with pytest.raises(FileNotFoundError):
        read(f"{root}/nothing")
    delete(f"{root}/nothing")
    assert list_objects(f"{root}/nothing") == {}


def test_credentials_and_network_are_told_of(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = filesystem("s3")
    with monkeypatch.context() as without:
        without.delenv("AWS_ACCESS_KEY_ID")
        files.clear_instance_cache()
        with pytest.raises(Failure, match="AWS_ACCESS_KEY_ID"):
            list_objects(root)
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        elsewhere.setenv("AWS_MAX_ATTEMPTS", "1")
        files.clear_instance_cache()
        with pytest.raises(Failure, match=r"cannot list s3://.*same command carries on"):
            list_objects(root)
    files.clear_instance_cache()


@pytest.mark.parametrize(
    "code", ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"]
)
def test_what_is_refused_is_told_of(root: str, store: Store, code: str) -> None:
    store.faults.extend([code] * 3)
    with pytest.raises(Failure, match=rf"cannot write s3://.*{code}.*AWS_ACCESS_KEY_ID"):
        write_text(place(root) / "a.txt", "a")
    assert files_in(place(root)) == {}


def test_that_a_store_takes_nothing_is_found_out_before_any_work(root: str, store: Store) -> None:
    check_writable(place(root) / "codes")
    assert contents(root) == {}
    store.faults.append("AccessDenied")
    with pytest.raises(Failure, match="AccessDenied"):
        check_writable(place(root) / "codes")


def test_what_is_to_be_installed_is_named(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    filesystem("s3").clear_instance_cache()
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3")
    with pytest.raises(Failure, match=r"pip install 's3fs>=2025.3'"):
        list_objects(root)


def test_other_stores_go_the_same_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_machine(monkeypatch, tmp_path / "one")
    write_text(place("memory://tests/a/b.txt"), "b")
    assert contents("memory://tests/a") == {"b.txt": b"b"}
    use_machine(monkeypatch, tmp_path / "two")
    refresh(place("memory://tests"))
    assert place("memory://tests/a/b.txt").read_text() == "b"


# runs


def _some_of(numbers: range, default: tuple[int, ...]) -> list[Any]:
    others = (number for number in numbers if number not in default)
    return [*default, *(pytest.param(number, marks=pytest.mark.campaign) for number in others)]


def write_run(run: Path, step: int) -> None:
    """Write what a run has after a step, as training does: nothing goes up by itself."""
    for name, content in {
        "recipe.toml": "recipe",
        "metrics.jsonl": "line\n" * step,
        f"checkpoints/step-{step}/model.safetensors": f"weights {step}",
        f"checkpoints/step-{step}/manifest.json": "{}",
        "best/model.safetensors": f"best {step}",
        "best/score.json": f"{step}",
        "run.json": f'{{"step": {step}}}',
    }.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(content)


def test_a_run_goes_up_and_comes_back_with_its_links(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = place(f"{root}/runs/one")
    write_run(run, 1)
    (run / "checkpoints/epoch-001").symlink_to("step-1")
    (run / "wandb").mkdir()
    (run / "wandb/log").write_text("W&B copies this")
    send_run(run)
    write_run(run, 2)
    for path in (run / "checkpoints/step-1").iterdir():
        path.unlink()
    send_run(run)
    assert "checkpoints/step-1/manifest.json" not in contents(f"{root}/runs/one")
    use_machine(monkeypatch, tmp_path / "two")
    other = place(f"{root}/runs/one")
    bring_run(other)
    assert files_in(other) == {
        name: content for name, content in files_in(run).items() if not name.startswith("wandb")
    }
    assert (other / "checkpoints/epoch-001").readlink() == Path("step-1")


def test_the_order_in_which_a_run_goes_up(root: str, store: Store) -> None:
    run = place(f"{root}/runs/one")
    write_run(run, 1)
    send_run(run)
    store.requests.clear()
    write_run(run, 2)
    send_run(run)
    done = [
        (method, path.rpartition("runs/one/")[2])
        for method, path in store.requests
        if method in ("PUT", "DELETE")
    ]
    assert done == [
        ("DELETE", "best/score.json"),
        ("PUT", "best/model.safetensors"),
        ("PUT", "checkpoints/step-2/model.safetensors"),
        ("PUT", "metrics.jsonl"),
        ("PUT", "recipe.toml"),
        ("PUT", "run.json"),
        ("PUT", "best/score.json"),
        ("PUT", "checkpoints/step-2/manifest.json"),
    ]


def test_a_run_that_is_ahead_stays(root: str, store: Store) -> None:
    run = place(f"{root}/runs/one")
    write_run(run, 1)
    send_run(run)
    write_run(run, 2)
    before = files_in(run)
    bring_run(run)
    bring_runs(run.parent, only=is_small)
    assert files_in(run) == before


@pytest.mark.parametrize("many", [False, True])
def test_who_looks_at_a_run_while_it_copies_up_leaves_it_as_it_is(
    root: str, monkeypatch: pytest.MonkeyPatch, many: bool
) -> None:
    run = place(f"{root}/runs/one")
    write_run(run, 1)
    send_run(run)
    written = {}

    def list_then_send(where: str) -> dict[str, Object]:
        found = list_objects(where)
        write_run(run, 2)
        (run / "checkpoints/step-1/manifest.json").unlink()
        send_run(run)
        write_run(run, 3)
        written.update(files_in(run))
        return found

    monkeypatch.setattr(run_mirror, "list_objects", list_then_send)
    if many:
        bring_runs(run.parent, only=is_small)
    else:
        bring_run(run)
    assert files_in(run) == written


@pytest.mark.parametrize("stop", _some_of(range(16), default=(1, 4, 13)))
def test_a_copy_up_that_is_cut_short_loses_nothing(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    """Here the run is as it was; elsewhere it is as it was at a whole save."""
    run = place(f"{root}/runs/one")
    write_run(run, 1)
    send_run(run)
    write_run(run, 2)
    before, calls = files_in(run), iter(range(100))

    def cut(act: Callable[..., Any]) -> Callable[..., Any]:
        def acting(*arguments: Any) -> Any:
            number = next(calls)
            if stop == 2 * number:
                raise KeyboardInterrupt
            found = act(*arguments)
            if stop == 2 * number + 1:
                raise KeyboardInterrupt
            return found

        return acting

    with monkeypatch.context() as spoilt:
        spoilt.setattr(run_mirror, "upload", cut(upload))
        spoilt.setattr(run_mirror, "delete", cut(delete))
        try:
            send_run(run)
        except KeyboardInterrupt:
            bring_run(run)
            assert files_in(run) == before
    use_machine(monkeypatch, tmp_path / "two")
    other = place(f"{root}/runs/one")
    bring_run(other)
    for checkpoint in (other / "checkpoints").iterdir():
        step = checkpoint.name.removeprefix("step-")
        assert (checkpoint / "model.safetensors").read_text() == f"weights {step}"
        assert (checkpoint / "manifest.json").exists()
        assert (other / "metrics.jsonl").read_text().count("line") >= int(step)
    if (other / "best/score.json").exists():
        score = (other / "best/score.json").read_text()
        assert (other / "best/model.safetensors").read_text() == f"best {score}"
    use_machine(monkeypatch, tmp_path / "one")
    send_run(run)
    assert contents(f"{root}/runs/one") == files_in(run)


def test_a_run_that_went_on_elsewhere_is_as_it_is_there(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = place(f"{root}/runs/one")
    write_run(run, 1)
    send_run(run)
    write_run(run, 2)  # the store never got this
    settle()
    use_machine(monkeypatch, tmp_path / "two")
    other = place(f"{root}/runs/one")
    bring_run(other)
    write_run(other, 3)
    send_run(other)
    use_machine(monkeypatch, tmp_path / "one")
    bring_run(run)
    assert files_in(run) == files_in(other)


def test_a_best_model_comes_without_the_checkpoints(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = Artifacts.at(root)
    write_run(places.run("one"), 1)
    send_run(places.run("one"))
    use_machine(monkeypatch, tmp_path / "two")
    places = Artifacts.at(root)
    for where in (f"{root}/runs/one/best", f"{root}/runs/one"):
        found = Path(bring_model(where, Artifacts.at(tmp_path)))
        assert address(found) == where
    assert bring_model("one", places) == "one"
    assert (places.run("one") / "best/model.safetensors").exists()
    assert not (places.run("one") / "checkpoints").exists()
    assert not (places.run("one") / RECORD).exists()


def test_processes_of_a_machine_share_its_mirror(
    root: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        write_text(place(root) / f"{number}.txt", f"{number}")
    use_machine(monkeypatch, tmp_path / "two")
    store.requests.clear()
    threads = [threading.Thread(target=refresh, args=[place(root)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(files_in(place(root))) == 20
    fetched = [path for method, path in store.requests if method == "GET" and "txt" in path]
    assert len(fetched) == 20
    assert local(root) == place(root)
