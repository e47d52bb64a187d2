"""All commands with an object store in the place of a folder, each on an empty machine."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from corpora import parquet, utterances, webdataset
from evaluation import read_rows
from killing import Moment, Surroundings, run_command
from object_stores import BUCKET, Store, contents, files_in, running_store
from training import SMALL_CODEC, write_voice
from whole_runs import RECIPE, result, settings
from workplace import query, run, succeed

from snac_common.addresses import place
from snac_common.object_store import list_objects, upload
from snac_common.refresh import refresh
from snac_common.run_mirror import bring_run
from snac_model import save

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


def all_commands(artifacts: Path | str, local: Path, before: Callable[[], object] = lambda: None) -> None:
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
        (EVAL, "one", "--base", local / "model", *CPU, "--samples", 1, "--name", "e", *art),
        (TOKENS, "--tokens", local / "layout.toml", *texts, "-o", f"{artifacts}/rows", *art),
    ):
        before()
        succeed(module, *given)


def training(artifacts: Path | str, local: Path, *more: object) -> list[object]:
    start = ["--phase", 12, "--artifacts", artifacts, "--run", "one", "--device", "cpu"]
    return [*start, "--base", local / "model", *settings(RECIPE), *more]


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
