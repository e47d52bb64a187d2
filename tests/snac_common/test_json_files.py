"""Small JSON files that were damaged are named, with what is wrong with them."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snac_common.errors import Failure
from snac_common.json_files import parse_json_object, read_json_object

REQUIRED = {
    "epoch": int,
    "metrics": dict,
    "plan.steps": int,
    "rate": float,
    "base": str | None,
    "done": bool,
}
WHOLE = (
    '{"epoch": 3, "metrics": {}, "rate": 1, "base": null, "done": false, "plan": {"steps": 9}, '
    '"other": []}'
)


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "score.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    content = read_json_object(written(tmp_path, WHOLE), REQUIRED)
    assert content["epoch"] == 3
    assert content["other"] == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"epoch": 3, ', "", "has no 'epoch'"),
        ("3", '"3"', """'epoch' is "3", not a whole number"""),
        ("3", "true", "'epoch' is true, not a whole number"),
        ("3", "3.5", "'epoch' is 3.5, not a whole number"),
        ("{}", "[]", r"'metrics' is \[\], not an object"),
        ("9", "{}", r"'plan.steps' is {}, not a whole number"),
        ('{"steps": 9}', "[]", "has no 'plan.steps'"),
        ("1", "null", "'rate' is null, not a number"),
        ("null", "5", "'base' is 5, not a text or null"),
        ("false", "0", "'done' is 0, not true or false"),
        ("{", "", "no JSON"),
        (WHOLE, "[1]", "holds no JSON object"),
        (WHOLE, "", "no JSON"),
        (WHOLE, "[" * 100_000, "no JSON"),
    ],
)
def test_what_is_damaged_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = written(tmp_path, WHOLE.replace(old, new, 1))
    with pytest.raises(Failure, match=said) as caught:
        read_json_object(path, REQUIRED)
    assert str(path) in str(caught.value)


def test_bytes_that_are_no_text_and_files_that_are_absent_are_named(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"score\.json is damaged: it is not text in UTF-8"):
        read_json_object(written(tmp_path, b"\xff\xfe\x00"))
    with pytest.raises(Failure, match=r"cannot read .*absent\.json: No such file"):
        read_json_object(tmp_path / "absent.json")


@given(st.text())
def test_any_text_is_an_object_or_a_failure(text: str) -> None:
    with suppress(Failure):
        assert isinstance(parse_json_object(text, "here"), dict)
