"""What docs/queries.md and docs/checks.md show is true, query by query and view by view."""

import json
import re
from pathlib import Path

import pytest
from made_cache import write_cache, write_results
from workplace import query, run

from snac_cache.checks.views import open_views

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "queries.md").read_text()
QUERIES = dict(re.findall(r"^## (.+?)\n.*?```sql\n(.+?)```", PAGE, re.DOTALL | re.MULTILINE))
SHORT_NAMES = dict(re.findall(r"^\| `(.+?)` \| `(\w+)` \|$", PAGE, re.MULTILINE))
NOTHING_FOUND = ("no 48 kHz target", "two names", "in train too", "both splits", "without a text")
REFERENCES = {"cache", "rejects"}  # to the columns of another view
VIEWS = re.findall(r"^\| `(\w+)` \*? ?\| .+? \| (.+) \|$", (DOCS / "checks.md").read_text(), re.M)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds artifacts/."""
    folder = tmp_path_factory.mktemp("project")
    write_cache(folder / "artifacts")
    write_results(folder / "artifacts")
    return folder


def test_the_page_has_its_queries() -> None:
    assert len(QUERIES) == 18
    assert set(SHORT_NAMES.values()) == {"cached", "manifest", "rejects", "metrics", "training"}


@pytest.mark.parametrize("title", QUERIES)
def test_a_query_has_one_answer_everywhere(
    project: Path, monkeypatch: pytest.MonkeyPatch, title: str
) -> None:
    monkeypatch.chdir(project)
    sql = QUERIES[title]
    plain = query(sql)
    assert plain or any(words in title for words in NOTHING_FOUND)
    short = sql
    for files, name in SHORT_NAMES.items():
        short = short.replace(files, name)
    assert short != sql
    for form in (sql, short):
        result = run("snac_cache.cli.check", "--sql", form, "--format", "jsonl")
        assert result.exit_code == 0, result.stderr
        answers = [tuple(json.loads(line).values()) for line in result.stdout.splitlines()]
        for mine, theirs in zip(answers, plain, strict=True):
            assert mine == pytest.approx(theirs)  # DuckDB adds in any order


def test_each_view_has_the_columns_that_the_page_says(project: Path) -> None:
    assert len(VIEWS) == 21
    root = project / "artifacts"
    with open_views(root / "codes", root / "manifests", root) as views:
        for view, columns in VIEWS:
            answer = views.execute(f"SELECT column_name FROM (DESCRIBE {view})").fetchall()
            said = {name for name in re.findall(r"`(\w+)`", columns) if name not in REFERENCES}
            missing = said - {name for (name,) in answer}
            assert not missing, f"{view}: {missing}"
