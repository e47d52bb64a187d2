"""snac-check over files that are torn, of another kind, or not there."""

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from damages import CHECK, change_metadata, failed, lose_row, outcomes, part
from made_cache import IDENTITY, REJECTED, write_cache
from workplace import run

from snac_cache.checks.cache_files import CacheFiles
from snac_cache.checks.described import first_identity, read_described
from snac_cache.store.description import describe
from snac_common.errors import Failure


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact root with nothing wrong in it; not to be changed."""
    root = tmp_path_factory.mktemp("clean") / "artifacts"
    write_cache(root)
    return root


@pytest.fixture
def damaged(clean: Path, tmp_path: Path) -> Path:
    """A copy, to be damaged."""
    return Path(shutil.copytree(clean, tmp_path / "artifacts"))


def test_a_torn_part_is_named_and_the_others_are_still_checked(damaged: Path) -> None:
    content = bytearray(part(damaged).read_bytes())
    middle = len(content) // 3
    content[middle : middle + 64] = bytes(64)  # the footer is whole: only decoding can tell
    part(damaged).write_bytes(content)
    found = outcomes(damaged)
    assert str(part(damaged)) in found["readable"]["examples"][0]["filename"]
    assert found["readable"]["count"] == 1
    assert found["accounted_totals"]["examples"][0]["cached_or_rejected"] == 0
    assert found["padding"]["result"] == "pass"


@pytest.mark.parametrize("file", ["truncated", "empty", "text"])
def test_a_part_without_a_footer_is_named(damaged: Path, file: str) -> None:
    content = {"truncated": part(damaged).read_bytes()[:-20], "empty": b"", "text": b"no parquet"}
    part(damaged).write_bytes(content[file])
    found = outcomes(damaged)
    assert found["readable"]["examples"][0]["filename"] == str(part(damaged))
    assert found["schema"]["result"] == "pass"


def test_no_part_can_be_read_at_all(damaged: Path) -> None:
    for path in (damaged / "codes").glob("*/part-*.parquet"):
        path.write_bytes(b"gone")
    found = outcomes(damaged)
    assert found["readable"]["count"] == 5
    assert found["accounted_totals"]["result"] == "fail"


def test_a_cache_without_its_description_fails(damaged: Path) -> None:
    (damaged / "codes" / "cache.json").unlink()
    found = outcomes(damaged)
    assert "there is no cache.json" in found["one_model"]["examples"][0]["problem"]
    assert failed(damaged) == {"one_model"}


def test_without_manifests_rows_are_still_counted(damaged: Path) -> None:
    shutil.rmtree(damaged / "manifests")
    found = outcomes(damaged)
    assert found["same_manifest"]["result"] == "warn"
    assert {name for name, entry in found.items() if entry["result"] == "fail"} == set()
    lose_row(damaged)
    assert outcomes(damaged)["accounted_totals"]["result"] == "fail"


@pytest.mark.parametrize("content", ["", "1", "null", "[]", '"text"', "{}", "{", "\udcff"])
def test_a_description_that_is_none_is_named(damaged: Path, content: str) -> None:
    path = damaged / "codes" / "cache.json"
    path.write_text(content, errors="surrogateescape")
    assert failed(damaged) == {"one_model"}


ODD = [None, True, 1, -1, 0.5, 1e999, "text", [], [0], ["a"], {}, {"vq_strides": "x"}]


def test_a_description_with_other_types_in_it_is_no_surprise(tmp_path: Path) -> None:
    path = tmp_path / "cache.json"
    sound = json.loads(json.dumps(describe(IDENTITY, 16)))
    fields = [(sound, name) for name in sound]
    fields += [(sound[name], inner) for name in ("config", "geometry") for inner in sound[name]]
    for holder, name in fields:
        before = holder[name]
        for value in ODD:
            holder[name] = value
            path.write_text(json.dumps(sound))
            described, problem = read_described(path)
            assert bool(described) != bool(problem)
            with suppress(Failure):
                identity, levels = first_identity(tmp_path, [described])
                files = CacheFiles(tmp_path, [], [], None, identity, levels, described, problem)
                assert files.cache_table(None).num_rows == 1
        holder[name] = before


@pytest.mark.parametrize("value", ["0.5", [], 2, -1, 1e999])
def test_an_agreement_that_is_no_share_is_named(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "cache.json"
    path.write_text(json.dumps({**describe(IDENTITY, 16), "token_agreement": value}))
    _, problem = read_described(path)
    assert problem is not None
    assert "token_agreement" in problem


def test_nothing_says_what_made_the_codes(damaged: Path) -> None:
    (damaged / "codes" / "cache.json").write_text("1")
    for path in (damaged / "codes").glob("*/part-*.parquet"):
        pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    result = run(CHECK, "--artifacts", damaged)
    assert (result.exit_code, "which codec made" in result.stderr) == (1, True)


def test_a_cache_of_another_schema_version_is_refused(damaged: Path) -> None:
    path = damaged / "codes" / "cache.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 1}))
    result = run(CHECK, "--artifacts", damaged)
    assert (result.exit_code, "schema version 1" in result.stderr) == (1, True)


def test_a_cache_without_its_plan_fails(damaged: Path) -> None:
    shutil.rmtree(damaged / "codes" / "plan")
    found = outcomes(damaged, "--only", "plan")["plan"]
    assert found["result"] == "fail"
    assert failed(damaged) == {"plan", "accounted_rows"}


@pytest.mark.parametrize("damage", ["cut", "flipped", "footer"])
def test_a_damaged_plan_is_named(damaged: Path, damage: str) -> None:
    path = damaged / "codes" / "plan" / "train.parquet"
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    else:
        content[len(content) // 4 if damage == "flipped" else -6] ^= 0x55
    path.write_bytes(content)
    found = outcomes(damaged)["plan"]
    assert (found["result"], found["error"]) == ("fail", None)
    assert any("plan" in row["filename"] for row in found["examples"])


def test_rejects_without_their_part_do_not_count(damaged: Path) -> None:
    """Rejects are written first: killed between the two, the part is to be made again."""
    part(damaged, 0).unlink()
    found = outcomes(damaged)
    assert found["accounted_totals"]["examples"][0]["cached_or_rejected"] == 0
    assert found["accounted_rows"]["count"] == 16
    sql = f"SELECT count(*) AS n FROM rejects WHERE utterance_id = '{REJECTED}'"
    result = run(CHECK, "--artifacts", damaged, "--sql", sql, "--format", "csv")
    assert result.stdout == "n\n0\n"


def test_a_part_that_does_not_say_what_made_it_is_named(damaged: Path) -> None:
    change_metadata("snac.config", lambda value: 1)(damaged)
    assert failed(damaged) == {"one_model"}
