"""Every check passes on a clean cache, and is seen failing on one damaged in its very way."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_cache import REJECTED, rewrite_part, with_values, write_cache
from workplace import last_line, query, run, succeed

from snac_cache.checks.runner import PACKAGED
from snac_cache.store.identity import KEY_PREFIX

CHECK = "snac_cache.cli.check"
WARNINGS = {"same_manifest", "codebook_use", "dead_codes", "dominant_codes", "runs", "durations"}


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact root with nothing wrong in it; not to be changed."""
    root = tmp_path_factory.mktemp("clean") / "artifacts"
    write_cache(root)
    return root


@pytest.fixture
def damaged(clean: Path, tmp_path: Path) -> Path:
    """A copy, to be damaged."""
    return Path(shutil.copytree(clean, tmp_path / "artifacts"))


def part(root: Path, number: int = 1, split: str = "train") -> Path:
    """Return the path of a part."""
    return root / "codes" / split / f"part-{number:05}.parquet"


def change(column: str, function: Callable[[Any], Any], *rows: int) -> Callable[[Path], None]:
    """Return a damage: values of a column of one part replaced, in some rows or in all."""

    def replace(table: pa.Table) -> pa.Table:
        values = table.column(column).to_pylist()
        for row in rows or range(len(values)):
            values[row] = function(values[row])
        return with_values(table, column, values)

    return lambda root: rewrite_part(part(root), replace)


def change_everywhere(column: str, function: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Return a damage to all parts."""

    def damage(root: Path) -> None:
        for path in (root / "codes").glob("*/part-*.parquet"):

            def replace(table: pa.Table) -> pa.Table:
                values = [function(value) for value in table.column(column).to_pylist()]
                return with_values(table, column, values)

            rewrite_part(path, replace)

    return damage


def drop_column(root: Path) -> None:
    rewrite_part(part(root), lambda table: table.drop_columns(["codes_2"]))


def cut_short(root: Path) -> None:
    whole = part(root).read_bytes()
    part(root).write_bytes(whole[: len(whole) // 2])


def another_model(root: Path) -> None:
    key = (KEY_PREFIX + "tokenizer_sha256").encode()
    rewrite_part(
        part(root),
        lambda table: table.replace_schema_metadata({**table.schema.metadata, key: b'"3"'}),
    )


def repeat_row(root: Path) -> None:
    rewrite_part(part(root), lambda table: pa.concat_tables([table, table.slice(2, 1)]))


def lose_row(root: Path) -> None:
    rewrite_part(part(root), lambda table: table.slice(1))


def leak_into_val(root: Path) -> None:
    row = pq.read_table(part(root)).slice(0, 1)
    moved = with_values(row, "split", ["val"])
    rewrite_part(part(root, 0, "val"), lambda table: pa.concat_tables([table, moved]))


def another_manifest(root: Path) -> None:
    path = root / "manifests" / "train.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)


def lose_target(root: Path) -> None:
    path = Path(pq.read_table(part(root)).column("target_path")[4].as_py())
    rewrite_part(
        part(root),
        lambda table: with_values(
            table,
            "target_path",
            [
                value.replace(path.name, "gone.flac")
                for value in table.column("target_path").to_pylist()
            ],
        ),
    )


DAMAGES: dict[str, Callable[[Path], None]] = {
    "schema": drop_column,
    "readable": cut_short,
    "one_model": another_model,
    "unique_ids": repeat_row,
    "one_split": leak_into_val,
    "same_manifest": another_manifest,
    "accounted_rows": change("utterance_id", lambda value: value + "x", 5),
    "accounted_totals": lose_row,
    "lengths": change("num_samples", lambda value: value + 1, 3),
    "code_range": change("codes_1", lambda codes: [*codes[:-1], 16], 7),
    "level_ratio": change("codes_2", lambda codes: codes[:-1], 7),
    "padding": change("num_samples", lambda value: value + 2048, 7),
    "codebook_use": change_everywhere("codes_2", lambda codes: [code % 7 for code in codes]),
    "dead_codes": change_everywhere("codes_2", lambda codes: [code or 1 for code in codes]),
    "dominant_codes": change_everywhere(
        "codes_0", lambda codes: [9 if code < 4 else code for code in codes]
    ),
    "runs": change("codes_0", lambda codes: [*codes[:2], *[4] * 24, *codes[26:]], 2),
    "durations": change("duration_s", lambda value: 61.0, 1),
    "targets": lose_target,
}


def outcomes(root: Path, *options: object) -> dict[str, dict[str, Any]]:
    """Run the checks; return what came of each by name."""
    result = run(CHECK, "--artifacts", root, "--json", *options)
    assert result.exit_code in {0, 1}, result.stderr
    return {entry["check"]: entry for entry in last_line(result)["checks"]}


def test_a_clean_cache_passes_every_check(clean: Path) -> None:
    found = outcomes(clean)
    assert {name: entry["result"] for name, entry in found.items()} == dict.fromkeys(
        DAMAGES, "pass"
    )
    counts = last_line(run(CHECK, "--artifacts", clean))
    assert counts == {"pass": len(DAMAGES), "warn": 0, "fail": 0}


def test_every_check_has_its_damage() -> None:
    assert {path.stem for path in PACKAGED.glob("*.sql")} == set(DAMAGES)


@pytest.mark.parametrize("name", DAMAGES)
def test_each_check_sees_its_damage(damaged: Path, name: str) -> None:
    DAMAGES[name](damaged)
    alone = run(CHECK, "--artifacts", damaged, "--only", name)
    severity = "warn" if name in WARNINGS else "fail"
    assert alone.exit_code == (0 if severity == "warn" else 1), alone.stdout
    assert last_line(alone)[severity] == 1
    found = outcomes(damaged)[name]  # also where all others run over the same damage
    assert found["result"] == found["severity"] == severity
    assert found["count"] >= 1
    assert found["error"] is None
    assert found["examples"]


def test_a_torn_part_is_named_and_the_others_are_still_checked(damaged: Path) -> None:
    content = bytearray(part(damaged).read_bytes())
    middle = len(content) // 3
    content[middle : middle + 64] = bytes(64)  # the footer is whole: only decoding can tell
    part(damaged).write_bytes(content)
    found = outcomes(damaged)
    assert str(part(damaged)) in found["readable"]["examples"][0]["filename"]
    assert found["readable"]["count"] == 1
    assert found["accounted_totals"]["examples"][0]["cached_or_rejected"] == 60 - 16
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
    assert found["same_manifest"]["result"] == "warn"
    assert found["padding"]["result"] == "pass"


def test_without_manifests_rows_are_still_counted(damaged: Path) -> None:
    shutil.rmtree(damaged / "manifests")
    found = outcomes(damaged)
    assert found["same_manifest"]["result"] == "warn"
    assert {name for name, entry in found.items() if entry["result"] == "fail"} == set()
    lose_row(damaged)
    assert outcomes(damaged)["accounted_totals"]["result"] == "fail"


def test_views_have_their_columns_where_there_is_nothing(damaged: Path) -> None:
    shutil.rmtree(damaged / "manifests")
    shutil.rmtree(damaged / "codes" / "rejects")
    for view in ("manifest", "rejects"):
        result = run(CHECK, "--artifacts", damaged, "--sql", f"FROM {view}", "--format", "csv")
        assert result.exit_code == 0, result.stderr
        assert result.stdout.startswith("utterance_id,split,audio_path,")
        assert result.stdout.count("\n") == 1


def test_views_take_more_columns(damaged: Path) -> None:
    def widen(table: pa.Table) -> pa.Table:
        return table.append_column("signal_db", pa.array([8000.0] * table.num_rows))

    rewrite_part(part(damaged), widen)
    rewrite_part(damaged / "manifests" / "val.parquet", widen)
    assert {entry["result"] for entry in outcomes(damaged).values()} == {"pass"}
    for view in ("codes", "manifest"):
        sql = f"SELECT count(signal_db) AS n, count(*) > n AS others FROM {view}"
        assert ask(damaged, sql)[0]["others"] is True


def ask(root: Path, sql: str, stdin: str | None = None) -> list[dict[str, Any]]:
    """Return the rows of a query."""
    result = run(CHECK, "--artifacts", root, "--sql", sql, "--format", "jsonl", stdin=stdin)
    assert result.exit_code == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert json.loads(result.stderr.splitlines()[-1]) == {"rows": len(rows)}
    return rows


def test_questions_are_answered_from_the_same_rows_as_plain_duckdb(clean: Path) -> None:
    codes = f"'{clean}/codes/*/part-*.parquet'"
    sql = (
        "SELECT split, count(*) AS n, sum(len(codes_2)) AS tokens FROM {} GROUP BY ALL ORDER BY ALL"
    )
    mine = ask(clean, "-", stdin=sql.format("codes"))
    assert [tuple(row.values()) for row in mine] == query(sql.format(codes))
    tokens = ask(
        clean, "SELECT split, level, position, token FROM tokens WHERE utterance_id = 'val/0002'"
    )
    ((expected,),) = query(f"SELECT codes_1 FROM {codes} WHERE utterance_id = 'val/0002'")
    level = {row["position"]: row["token"] for row in tokens if row["level"] == 1}
    assert [level[position] for position in range(len(level))] == expected
    (reject,) = ask(clean, "FROM rejects")
    assert (reject["utterance_id"], reject["stage"]) == (REJECTED, "encode")
    ((counted,),) = query(
        f"SELECT count(DISTINCT code) FROM (SELECT unnest(codes_0) AS code FROM {codes})"
    )
    assert ask(clean, "SELECT used FROM codebooks WHERE level = 0") == [{"used": counted}]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("csv", "id,n\nval/0000,1\nval/0001,1\n"),
        ("jsonl", '{"id": "val/0000", "n": 1}\n{"id": "val/0001", "n": 1}\n'),
        ("table", "id        n\n--------  -\nval/0000  1\nval/0001  1\n"),
    ],
)
def test_formats_and_the_number_of_rows(clean: Path, how: str, expected: str) -> None:
    sql = "SELECT utterance_id AS id, 1 AS n FROM codes WHERE split = 'val' ORDER BY id"
    options = ["--artifacts", clean, "--sql", sql, "--format", how, "--max-rows", 2]
    result = run(CHECK, *options)
    assert result.stdout == expected
    assert "only the first 2 rows" in result.stderr


@pytest.mark.parametrize(
    "sql", ["SELEC 1", "SELECT x FROM codes", "FROM nothing", " ", "SELECT 1/'a'"]
)
def test_a_wrong_query_is_a_message_and_exit_2(clean: Path, sql: str) -> None:
    result = run(CHECK, "--artifacts", clean, "--sql", sql)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: the query")
    assert result.stdout == ""


def test_own_checks_join_in(clean: Path, tmp_path: Path) -> None:
    body = "SELECT utterance_id FROM codes WHERE channels = 1"
    (tmp_path / "stereo.sql").write_text(f"-- All is stereo.\n-- severity: warn\n{body};\n")
    result = run(CHECK, "--artifacts", clean, "--checks-dir", tmp_path, "--json")
    assert result.exit_code == 0
    (own,) = (entry for entry in last_line(result)["checks"] if entry["check"] == "stereo")
    assert (own["result"], own["count"], own["proves"]) == ("warn", 65, "All is stereo.")
    assert len(own["examples"]) == 3


def test_an_own_check_that_cannot_run_proves_nothing(clean: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong.sql").write_text("-- Some.\n-- severity: warn\nSELECT nothing FROM codes")
    result = run(CHECK, "--artifacts", clean, "--checks-dir", tmp_path, "--only", "wrong")
    assert result.exit_code == 1
    assert "nothing" in result.stdout


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("bare", "SELECT 1", "-- severity"),
        ("bad", "-- Some.\n-- severity: maybe\nSELECT 1", "-- severity"),
        ("runs", "-- Some.\n-- severity: fail\nSELECT 1", "of that name already"),
    ],
)
def test_a_file_that_is_no_check_is_refused(
    clean: Path, tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / f"{name}.sql").write_text(text)
    result = run(CHECK, "--artifacts", clean, "--checks-dir", tmp_path)
    assert result.exit_code == 2
    assert message in result.stderr


def test_bad_requests_say_what_to_do(clean: Path, tmp_path: Path) -> None:
    nothing = run(CHECK, "--artifacts", tmp_path)
    assert nothing.exit_code == 1
    assert "Run snac-cache" in nothing.stderr
    unknown = run(CHECK, "--artifacts", clean, "--only", "runz")
    assert unknown.exit_code == 2
    assert "runs" in unknown.stderr


def test_names_with_signs_of_patterns_and_quotes(clean: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(clean, tmp_path / "it's [1]* 日本"))
    assert {entry["result"] for entry in outcomes(root).values()} == {"pass"}


def test_a_real_cache_does_not_fail(
    tmp_path: Path, model_folder: Path, manifest_folder: Path
) -> None:
    where = ["--manifest", manifest_folder, "--codes", tmp_path]
    limits = ["--limit", 7, "--part-rows", 3, "--device", "cpu"]
    succeed("snac_cache.cli.cache", *where, "--model", model_folder, *limits)
    found = run(CHECK, *where, "--json")
    assert found.exit_code == 0, found.stderr
    results = {entry["check"]: entry["result"] for entry in last_line(found)["checks"]}
    assert results["same_manifest"] == results["accounted_rows"] == "pass"


def test_the_command_needs_no_torch(clean: Path) -> None:
    program = (
        "import sys; from snac_cache.cli.check import main; "
        f"main(['--artifacts', {str(clean)!r}], standalone_mode=False); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
