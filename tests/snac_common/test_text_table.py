"""Tables of text."""

from snac_common.text_table import aligned


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
