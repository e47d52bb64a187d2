"""Manifests of millions of rows are shards, and are read without being held in memory."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workplace import run, snapshot, succeed

from snac_cache.manifests import shards
from snac_cache.manifests.read import read_manifest
from snac_cache.manifests.shards import manifest_files, split_files
from snac_cache.manifests.stream import stream_manifest
from snac_cache.manifests.write import write_manifest
from snac_cache.schema import MANIFEST, REJECTS
from snac_cache.store import resolve
from snac_cache.store.code_store import CodeStore
from snac_cache.store.resolve import manifest_rows, open_manifest
from snac_common.errors import Failure

MANIFEST_COMMAND, CACHE = "snac_cache.cli.manifest", "snac_cache.cli.cache"
DOCS = Path(__file__).parents[2] / "docs/scale.md"
CHECK, UPSAMPLE = "snac_cache.cli.check", "snac_cache.cli.upsample"


@pytest.fixture
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have four rows be so many that a manifest is written as shards, and mapped."""
    monkeypatch.setattr(shards, "SHARD_ROWS", 4)
    monkeypatch.setattr(resolve, "SHARD_ROWS", 4)


def made_up(split: str, count: int, first: int = 0) -> pa.Table:
    """Return manifest rows of files that are not there, with a speaker."""
    row = {"split": split, "audio_path": "/a.flac", "source_sample_rate": 24_000}
    row |= {"num_frames": 24_000, "duration_s": 1.0}
    listed = [
        {**row, "utterance_id": f"{split}/{number:03}"} for number in range(first, first + count)
    ]
    table = pa.Table.from_pylist(listed, MANIFEST)
    return table.append_column(
        "speaker", pa.array([f"s{n % 3}" for n in range(count)], pa.string())
    )


def write(folder: Path, train: pa.Table, val: pa.Table) -> None:
    write_manifest({"train": train, "val": val}, REJECTS.empty_table(), folder)


@pytest.mark.usefixtures("few_rows")
@pytest.mark.parametrize("count", [0, 1, 4, 5, 8, 9])
def test_what_is_written_is_read_whatever_was_there_before(tmp_path: Path, count: int) -> None:
    for before in (0, 4, 11, count):
        write(tmp_path, made_up("train", before), made_up("val", 2))
    names = [str(path.relative_to(tmp_path)) for path in split_files(tmp_path, "train")]
    many = [f"train/part-{number:05}.parquet" for number in range(-(-count // 4))]
    assert names == (many if count > 4 else ["train.parquet"])
    for rows in (read_manifest(tmp_path), manifest_rows(tmp_path)):
        assert rows["train"].equals(made_up("train", count))
        assert rows["val"].equals(made_up("val", 2))
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.usefixtures("few_rows")
def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path) -> None:
    """The shards' folder may be the one that holds the user's audio."""
    (tmp_path / "train").mkdir()
    (tmp_path / "train/speech.wav").write_text("all that there is")
    with pytest.raises(Failure, match=r"holds other files, such as speech\.wav"):
        write(tmp_path, made_up("train", 5), made_up("val", 1))
    assert (tmp_path / "train/speech.wav").read_text() == "all that there is"
    write(tmp_path, made_up("train", 4), made_up("val", 1))


def test_a_file_and_shards_of_one_split_are_refused(tmp_path: Path) -> None:
    write(tmp_path, made_up("train", 2), made_up("val", 2))
    (tmp_path / "train").mkdir()
    pq.write_table(made_up("train", 2, 2), tmp_path / "train/part-00000.parquet")
    with pytest.raises(Failure, match="two manifests of train"):
        manifest_files(tmp_path)
    write(tmp_path, made_up("train", 3), made_up("val", 2))  # writing anew mends it
    assert read_manifest(tmp_path)["train"].num_rows == 3


def test_shards_can_be_added_by_hand_and_may_lack_columns(tmp_path: Path) -> None:
    write(tmp_path, made_up("train", 2).slice(0, 0), made_up("val", 2))
    (tmp_path / "train.parquet").unlink()
    (tmp_path / "train").mkdir()
    for number in (10, 2, 100_000):  # not in the order of their names
        rows = made_up("train", 2, number).drop_columns("speaker")
        pq.write_table(rows, tmp_path / f"train/part-{number:05}.parquet")
    for rows in (read_manifest(tmp_path)["train"], open_manifest(tmp_path).slice(0, 6)):
        ids = [f"train/{number:03}" for n in (2, 10, 100_000) for number in (n, n + 1)]
        assert rows["utterance_id"].to_pylist() == ids
        assert rows["speaker"].null_count == 6


BAD = {
    "twice": (lambda rows: pa.concat_tables([rows, rows.slice(2, 1)]), "holds 'train/002' more"),
    "no split": (
        lambda rows: rows.set_column(1, "split", pa.array(["train"] * 4 + ["test"])),
        "row 4: 'train/004' has split 'test'",
    ),
    "no frames": (
        lambda rows: rows.set_column(5, "num_frames", pa.array([1, 1, 1, 1, 0])),
        "row 4: 'train/004' has num_frames 0",
    ),
}


@pytest.mark.usefixtures("few_rows")
@pytest.mark.parametrize("problem", list(BAD))
def test_what_is_wrong_with_a_row_is_found_while_it_is_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: str
) -> None:
    monkeypatch.setattr("snac_cache.manifests.stream.ROWS_AT_ONCE", 3)
    spoil, complaint = BAD[problem]
    pq.write_table(spoil(made_up("train", 5)), tmp_path / "train.parquet")
    for read in (read_manifest, manifest_rows):
        with pytest.raises(Failure, match=complaint):
            read(tmp_path)


@settings(max_examples=30)
@given(ids=st.lists(st.sampled_from("abcdefgh"), max_size=8))
def test_an_id_that_occurs_twice_is_found(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str]
) -> None:
    path = tmp_path_factory.mktemp("ids") / "train.parquet"
    rows = made_up("train", len(ids))
    pq.write_table(rows.set_column(0, "utterance_id", pa.array(ids, pa.string())), path)
    if len(set(ids)) == len(ids):
        assert stream_manifest([path], path).read_all().num_rows == len(ids)
    else:
        with pytest.raises(Failure, match="more than once"):
            stream_manifest([path], path)


@pytest.mark.usefixtures("few_rows")
def test_all_commands_read_shards_as_they_read_a_file(
    tmp_path: Path, manifest_folder: Path, model_folder: Path
) -> None:
    """Twelve rows, in one file a split and in three shards of train."""
    whole, places = tmp_path / "whole", ["--model", model_folder, "--device", "cpu"]
    rows = read_manifest(manifest_folder)
    for split in ("train", "val"):
        whole.mkdir(exist_ok=True)
        pq.write_table(rows[split], whole / f"{split}.parquet")
    write(tmp_path / "sharded", rows["train"], rows["val"])
    assert len(manifest_files(tmp_path / "sharded")) == 4
    said: dict[str, Any] = {}
    for name in ("whole", "sharded"):
        codes, given = tmp_path / f"codes-{name}", ["--manifest", tmp_path / name]
        succeed(CACHE, *given, "--codes", codes, *places, "--workers", 1)
        said[name] = [checked(succeed(CHECK, *given, "--codes", codes))]
        targets = ["--engine", "resample", "--targets", tmp_path / "targets", "--workers", 1]
        said[name].append(succeed(UPSAMPLE, *given, *targets)["targets"])
        store = CodeStore(codes, "train", tmp_path / name)
        said[name].append([utterance.target_path for utterance in store])
    assert said["whole"] == said["sharded"]
    assert snapshot_of_codes(tmp_path / "codes-whole") == snapshot_of_codes(
        tmp_path / "codes-sharded"
    )
    assert len(manifest_files(tmp_path / "sharded")) == 4  # snac-upsample wrote them again


def checked(summary: dict[str, Any]) -> list[tuple[str, str, int]]:
    return [(check["check"], check["result"], check["count"]) for check in summary["checks"]]


def snapshot_of_codes(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in snapshot(folder).items() if ".mapped" not in name}


def test_a_scan_takes_the_place_of_shards_of_the_same_corpus_only(
    tmp_path: Path, manifest_folder: Path
) -> None:
    write(tmp_path, made_up("train", 2), made_up("val", 2))
    (tmp_path / "train").mkdir()
    (tmp_path / "train.parquet").rename(tmp_path / "train/part-00000.parquet")
    source = manifest_folder.parent / "in"
    refused = run(MANIFEST_COMMAND, source, "-o", tmp_path)
    assert refused.exit_code == 2
    assert "part-00000.parquet has columns of your own (speaker)" in refused.stderr
    succeed(MANIFEST_COMMAND, source, "-o", tmp_path, "--overwrite", "--min-duration", 0.1)
    assert [path.name for path in manifest_files(tmp_path)] == ["train.parquet", "val.parquet"]


def test_pieces_that_were_scanned_apart_are_one_manifest(
    tmp_path: Path, manifest_folder: Path
) -> None:
    """By the loop of ``docs/scale.md``."""
    block = next(b for b in re.findall(r"```sh\n(.*?)```", DOCS.read_text(), re.S) if "pieces" in b)
    loop = block[block.index("mkdir") :]
    sources, options = [], ["--min-duration", 0.1, "--val-ratio", 0.5]
    for number, name in enumerate(("en", "fr")):
        sources.append(tmp_path / name)
        sources[-1].mkdir()
        for file in sorted((manifest_folder.parent / "in/train").iterdir())[number::2]:
            (sources[-1] / file.name).symlink_to(file)
        pieces = tmp_path / "pieces" / name
        succeed(MANIFEST_COMMAND, sources[-1], "-o", pieces, *options)
    subprocess.run(["bash", "-euc", loop], cwd=tmp_path, check=True)
    succeed(MANIFEST_COMMAND, *sources, "-o", tmp_path / "at-once", *options)
    together = read_manifest(tmp_path / "artifacts/manifests")
    for split, rows in read_manifest(tmp_path / "at-once").items():
        assert rows.num_rows
        assert together[split].sort_by("utterance_id").equals(rows.sort_by("utterance_id"))


HELD = """
import re, sys
from pathlib import Path
from snac_cache.manifests.stream import stream_manifest
from snac_cache.store import resolve
resolve.SHARD_ROWS = 1000

def held(name):
    return int(re.search(rf"{name}:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

import snac_cache.store.code_store  # what is loaded is not counted
before = held("VmRSS")
rows = resolve.manifest_rows(Path(sys.argv[1]))["train"]
anonymous = held("RssAnon") - before
print(rows.nbytes, anonymous)
"""


def test_a_large_manifest_is_mapped_not_held(tmp_path: Path) -> None:
    count = 300_000
    ids = pa.array([f"train/speaker/{number:08}" for number in range(count)])
    columns = {
        "utterance_id": ids,
        "split": pa.repeat("train", count),
        "audio_path": ids,
        "source_sample_rate": pa.repeat(24_000, count),
        "num_frames": pa.repeat(24_000, count),
        "text": pa.repeat("a text " * 40, count),
    }
    pq.write_table(pa.table(columns), tmp_path / "train.parquet", row_group_size=20_000)
    done = subprocess.run(
        [sys.executable, "-c", HELD, tmp_path], capture_output=True, text=True, check=True
    )
    size, anonymous = map(int, done.stdout.split())
    assert size > 100e6
    assert anonymous < 0.5 * size
