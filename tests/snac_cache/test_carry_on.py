"""What an existing cache allows: carrying on, appending, mending; never mixing."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from workplace import query, run, snapshot, succeed, write_tone

CACHE = "snac_cache.cli.cache"
MANIFEST = "snac_cache.cli.manifest"


def options(model: Path, manifest: Path, codes: Path) -> list[object]:
    """Return what every run of snac-cache in these tests is given."""
    folders = ["--model", model, "--manifest", manifest, "--codes", codes]
    return [*folders, "--device", "cpu", "--part-rows", 3]


def ids(codes: Path) -> list[str]:
    """Return the ids of all cached rows."""
    rows = query(f"SELECT utterance_id FROM '{codes}/*/part-*.parquet' ORDER BY ALL")
    return [utterance_id for (utterance_id,) in rows]


@pytest.fixture(scope="module")
def encoded(
    model_folder: Path, manifest_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A cache of twelve utterances; not to be changed."""
    folder = tmp_path_factory.mktemp("encoded")
    succeed(CACHE, *options(model_folder, manifest_folder, folder))
    return folder


@pytest.fixture
def copied(encoded: Path, tmp_path: Path) -> Path:
    """A copy of it, in ``tmp_path`` itself."""
    shutil.copytree(encoded, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.mark.parametrize("damage", ["flipped byte", "torn", "empty", "another part's rows"])
def test_a_damaged_part_is_made_anew(
    copied: Path, model_folder: Path, manifest_folder: Path, damage: str
) -> None:
    where = options(model_folder, manifest_folder, copied)
    whole = snapshot(copied)
    part = copied / "train" / "part-00001.parquet"
    content = bytearray(part.read_bytes())
    if damage == "flipped byte":
        content[60] ^= 1
    elif damage == "another part's rows":
        content = bytearray((copied / "train" / "part-00000.parquet").read_bytes())
    part.write_bytes(content[: {"torn": 500, "empty": 0}.get(damage, len(content))])
    verify = ["--verify"] if damage == "flipped byte" else []  # a footer does not show it
    assert succeed(CACHE, *where, *verify)["rows"] == 3
    assert snapshot(copied) == whole


@pytest.mark.parametrize("changed", ["manifest", "--part-rows", "precision"])
def test_another_plan_over_a_cache_is_refused_and_named(
    copied: Path, model_folder: Path, manifest_folder: Path, changed: str
) -> None:
    where = options(model_folder, manifest_folder, copied)
    before = snapshot(copied)
    other: dict[str, list[object]] = {
        "manifest": ["--limit", 4],
        "--part-rows": ["--part-rows", 5],
        "precision": ["--precision", "bf16"],
    }
    refused = run(CACHE, *where, *other[changed])
    assert refused.exit_code == 1
    assert f"It differs in {changed}" in refused.stderr
    assert snapshot(copied) == before


def test_overwrite_deletes_the_cache_alone(
    copied: Path, model_folder: Path, manifest_folder: Path
) -> None:
    where = options(model_folder, manifest_folder, copied)
    kept = copied / "val" / "notes.txt"
    kept.write_text("of the user")
    assert succeed(CACHE, *where, "--overwrite")["rows"] == 12
    assert kept.read_text() == "of the user"


@pytest.mark.parametrize("name", ["train/a.wav", "val/part-00000.parquet", "rejects/list.txt"])
def test_overwrite_refuses_a_folder_of_other_files(
    tmp_path: Path, model_folder: Path, manifest_folder: Path, name: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir()
    path.write_bytes(b"of the user")
    refused = run(CACHE, *options(model_folder, manifest_folder, tmp_path), "--overwrite")
    assert refused.exit_code == 1
    assert str(path) in refused.stderr
    assert snapshot(tmp_path) == {name: b"of the user"}


def test_a_cache_is_begun_again_or_added_to(tmp_path: Path, manifest_folder: Path) -> None:
    given = ["--manifest", manifest_folder, "--codes", tmp_path / "codes"]
    refused = run(CACHE, *given, "--overwrite", "--append")
    assert (refused.exit_code, "give one" in refused.stderr) == (2, True)


def test_append_encodes_only_what_is_new(tmp_path: Path, model_folder: Path) -> None:
    art = ["-o", tmp_path / "manifests", "--val-ratio", 0.2, "--min-duration", 0.1]
    for number in range(6):
        write_tone(tmp_path / "in" / f"{number}.wav", 0.3 + number / 20)
    succeed(MANIFEST, tmp_path / "in", *art)
    where = options(model_folder, tmp_path / "manifests", tmp_path / "codes")
    succeed(CACHE, *where)
    before = snapshot(tmp_path / "codes")
    for number in range(6, 11):
        write_tone(tmp_path / "in" / f"{number:02}.wav", 0.3 + number / 20)
    succeed(MANIFEST, tmp_path / "in", *art)
    assert "--append" in run(CACHE, *where).stderr
    assert succeed(CACHE, *where, "--append")["rows"] == 5
    assert len(ids(tmp_path / "codes")) == len(set(ids(tmp_path / "codes"))) == 11
    after = snapshot(tmp_path / "codes")
    assert {name: after[name] for name in before if "part" in name} == {
        name: content for name, content in before.items() if "part" in name
    }
    for again in ([], ["--append"]):
        assert succeed(CACHE, *where, *again)["rows"] == 0
    assert snapshot(tmp_path / "codes") == after


def test_what_was_rejected_is_not_tried_again_by_append(tmp_path: Path, model_folder: Path) -> None:
    for number in range(3):
        write_tone(tmp_path / "in" / f"{number}.wav", 1.5)
    succeed(MANIFEST, tmp_path / "in", "-o", tmp_path / "manifests", "--val-ratio", 0)
    (tmp_path / "in" / "1.wav").unlink()
    where = options(model_folder, tmp_path / "manifests", tmp_path / "codes")
    assert run(CACHE, *where).exit_code == 1
    assert succeed(CACHE, *where, "--append", "--max-reject-rate", 0.5)["rows"] == 0
    assert ids(tmp_path / "codes") == ["in/0", "in/2"]
    reasons = pq.read_table(tmp_path / "codes" / "rejects")["reason"].to_pylist()
    assert reasons == ["unreadable"]


def test_bf16_measures_the_share_of_equal_tokens(
    tmp_path: Path, model_folder: Path, manifest_folder: Path
) -> None:
    where = options(model_folder, manifest_folder, tmp_path)
    cached = succeed(CACHE, *where, "--precision", "bf16")
    assert 0.3 < cached["token_agreement"] < 1
