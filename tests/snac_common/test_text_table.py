"""Tables of text."""

import io

from hypothesis import given
from hypothesis import strategies as st

from snac_common.text_table import Column, aligned, write_overview, write_table


def test_columns_stand_below_each_other() -> None:
    lines = [("name", "loss"), ("a", "0.5"), ("long name", "10.25")]
    assert aligned(lines, (False, True)).splitlines() == [
        "name        loss",
        "a            0.5",
        "long name  10.25",
    ]


def test_a_name_cannot_steer_the_terminal() -> None:
    shown = aligned([("\x1b[31mred\nline", "1")], (False, True))
    assert shown == "\\x1b[31mred\\nline  1"


ROWS = st.tuples(st.text("ab ", max_size=40), st.integers(0, 9999), st.text("cd"))


@given(st.lists(ROWS, max_size=5))
def test_a_table_fits_the_terminal_as_far_as_it_can(rows: list[tuple[str, int, str]]) -> None:
    for width in (26, 40, 80):
        output = io.StringIO()
        write_table(["name", "count", "text"], rows, output, width)
        assert max(map(len, output.getvalue().splitlines())) <= width


def test_the_first_column_names_the_rows_and_is_cut_last() -> None:
    output = io.StringIO()
    write_table(["check", "proves"], [("duplicates_across", "x" * 90)], output, 40)
    assert "duplicates_across  xxxxxxxxxxxxxxxxxxxx…" in output.getvalue()


def test_columns_of_least_importance_are_left_out_first() -> None:
    columns = [Column("run", 0, str), Column("left", 1, str), Column("since", 2, str)]
    output = io.StringIO()
    write_overview(columns, ["0123456789"], 25, output)
    assert output.getvalue().split()[:2] == ["run", "left"]
    assert "since" not in output.getvalue()
