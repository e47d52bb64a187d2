"""The views: their columns and rows, and what snac-check --sql answers from them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from damages import CHECK, outcomes, part, rewrite_manifest
from made_cache import REJECTED, rewrite_part, with_values, write_cache, write_results
from workplace import query, run

from snac_cache.store.code_store import CodeStore


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact root with nothing wrong in it; not to be changed."""
    root = tmp_path_factory.mktemp("clean") / "artifacts"
    write_cache(root)
    return root


@pytest.fixture
def damaged(clean: Path, tmp_path: Path) -> Path:
    """A copy, to be changed."""
    return Path(shutil.copytree(clean, tmp_path / "artifacts"))


def ask(root: Path, sql: str, *options: object, stdin: str | None = None) -> list[dict[str, Any]]:
    """Return the rows of a query."""
    where = ["--artifacts", root, *options]
    result = run(CHECK, *where, "--sql", sql, "--format", "jsonl", stdin=stdin)
    assert result.exit_code == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert json.loads(result.stderr.splitlines()[-1]) == {"rows": len(rows)}
    return rows


def test_views_have_their_columns_where_there_is_nothing(damaged: Path) -> None:
    shutil.rmtree(damaged / "codes" / "plan")
    shutil.rmtree(damaged / "manifests")
    shutil.rmtree(damaged / "codes" / "rejects")
    for view in ("manifest", "planned", "rejects"):
        result = run(CHECK, "--artifacts", damaged, "--sql", f"FROM {view}", "--format", "csv")
        assert result.exit_code == 0, result.stderr
        assert result.stdout.startswith("utterance_id,split,audio_path,")
        assert result.stdout.count("\n") == 1


def test_without_a_manifest_rows_are_as_they_were_when_cached(damaged: Path) -> None:
    (before,) = ask(damaged, "SELECT count(*) AS n, max(text) AS text FROM codes")
    shutil.rmtree(damaged / "manifests")
    assert ask(damaged, "SELECT count(*) AS n, max(text) AS text FROM codes") == [before]


def test_views_take_more_columns(damaged: Path) -> None:
    def widen(table: pa.Table) -> pa.Table:
        return table.append_column("signal_db", pa.array([8000.0] * table.num_rows))

    rewrite_part(part(damaged), widen)
    rewrite_part(damaged / "manifests" / "val.parquet", widen)
    assert {entry["result"] for entry in outcomes(damaged).values()} == {"pass"}
    for view in ("cached", "manifest", "codes"):
        sql = f"SELECT count(signal_db) AS n, count(*) > n AS others FROM {view}"
        assert ask(damaged, sql)[0]["others"] is True


def test_codes_are_the_rows_that_readers_get_from_the_manifest_of_now(damaged: Path) -> None:
    """One utterance is gone from the manifest, one moved to the other split, one got a text."""
    kept: dict[str, pa.Table] = {}

    def restate(table: pa.Table) -> pa.Table:
        kept["moved"] = with_values(table.slice(1, 1), "split", ["val"])
        texts = table.column("text").to_pylist()
        return with_values(table, "text", [*texts[:-1], "corrected"]).slice(2)

    rewrite_manifest("train", restate)(damaged)
    rewrite_manifest("val", lambda table: pa.concat_tables([table, kept["moved"]]))(damaged)
    sql = "SELECT utterance_id, text, num_samples, codes_0 FROM codes WHERE split = '{}'"
    for split, count in (("train", 57), ("val", 7)):
        store = CodeStore(damaged / "codes", split, damaged / "manifests")
        texts = store.column("text").to_pylist()
        assert len(store) == count
        expected = {
            row.utterance_id: (texts[index], row.num_samples, store.codes(index)[0].tolist())
            for index, row in enumerate(store)
        }
        rows = ask(damaged, sql.format(split))
        assert {r["utterance_id"]: tuple(r.values())[1:] for r in rows} == expected
    assert ask(damaged, "SELECT count(*) AS n FROM cached") == [{"n": 65}]


def test_a_manifest_in_one_file(clean: Path, tmp_path: Path) -> None:
    parquet = clean / "manifests" / "val.parquet"
    rows = pq.read_table(parquet).drop_columns(["target_path", "channels"]).to_pylist()
    lines = tmp_path / "val.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    bare = tmp_path / "bare.parquet"
    pq.write_table(pa.Table.from_pylist(rows), bare)
    sql = "SELECT utterance_id, speaker FROM codes ORDER BY ALL"
    answers = [ask(clean, sql, "--manifest", path) for path in (parquet, lines, bare)]
    assert answers[0] == answers[1] == answers[2]
    assert len(answers[0]) == 6
    sql = "SELECT count(*) AS n FROM codes WHERE target_path IS NULL"
    assert ask(clean, sql, "--manifest", bare) == [{"n": 6}]


def test_a_manifest_that_is_none_is_a_message(clean: Path, tmp_path: Path) -> None:
    for name in ("rows.jsonl", "rows.parquet"):
        (tmp_path / name).write_text("nonsense")
        result = run(CHECK, "--artifacts", clean, "--manifest", tmp_path / name)
        assert (result.exit_code, name in result.stderr) == (1, True)


def test_questions_are_answered_from_the_same_rows_as_plain_duckdb(clean: Path) -> None:
    codes = f"'{clean}/codes/*/part-*.parquet'"
    sql = (
        "SELECT source_sample_rate AS rate, count(*) AS n, sum(len(codes_2)) AS tokens FROM {} "
        "GROUP BY ALL ORDER BY ALL"
    )
    mine = ask(clean, "-", stdin=sql.format("codes"))
    assert [tuple(row.values()) for row in mine] == query(sql.format(codes))
    tokens = ask(clean, "SELECT level, position, token FROM tokens WHERE utterance_id = 'val/0002'")
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


def test_names_with_signs_of_patterns_and_quotes(clean: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(clean, tmp_path / "it's [1]* 日本"))
    write_results(root)
    assert {entry["result"] for entry in outcomes(root).values()} == {"pass"}
    assert ask(root, "SELECT count(*) AS n FROM metrics") == [{"n": 132}]
    assert ask(root, "SELECT count(*) AS n FROM training") == [{"n": 10}]
