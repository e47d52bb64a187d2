"""Tokens as language models write them: both directions, and every kind of bad line."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from models import CONFIG_DEFAULT

from snac_common.errors import BadInput, Failure
from snac_model.shapes.config import SNAC_24KHZ
from snac_model.shapes.geometry import Geometry
from snac_model.tokens.layout import ORPHEUS, TokenLayout, token_layout
from snac_model.tokens.prompt import Prompt
from snac_model.tokens.text import BadToken, TokenReader, read_tokens, stop

FRAME = [0, 1, 2, 2, 1, 2, 2]
OTHER = TokenLayout((2, 0, 1, 1, 2, 2, 2), offset=3, codebook_size=16)


def token(number: int) -> str:
    return f"<custom_token_{number}>"


def place(position: int, code: int) -> str:
    return token(10 + code + 4096 * position)


def frame(base: int = 0) -> str:
    """A whole frame whose codes are ``base + position``."""
    return "".join(place(position, base + position) for position in range(7))


@st.composite
def levels(draw: st.DrawFn, layout: TokenLayout) -> list[np.ndarray]:
    frames = draw(st.integers(0, 6))
    code = st.integers(0, layout.codebook_size - 1)
    counts = [frames * layout.order.count(level) for level in range(layout.levels)]
    return [
        np.array(draw(st.lists(code, min_size=count, max_size=count)), np.int64) for count in counts
    ]


def read(text: str, sizes: list[int] | None = None) -> tuple[list, list[BadToken]]:
    """Read text in pieces; return frames (None where a line ends), and what was bad."""
    bad: list[BadToken] = []
    reader = TokenReader(ORPHEUS, bad.append)
    frames: list[tuple[int, ...] | None] = []
    for size in sizes or []:
        frames += reader.feed(text[:size])
        text = text[size:]
    return [*frames, *reader.feed(text), *reader.finish()], bad


def test_orpheus_order_and_numbers_are_as_published() -> None:
    codes = [[1], [2, 5], [3, 4, 6, 7]]
    numbers = [10 + 1, 4106 + 2, 8202 + 3, 12298 + 4, 16394 + 5, 20490 + 6, 24586 + 7]
    assert ORPHEUS.flatten(codes) == numbers
    assert ORPHEUS.text(codes) == "".join(map(token, numbers))


def test_orpheus_ids_and_prompt_are_as_published() -> None:
    assert ORPHEUS.id_offset == 128256
    assert ORPHEUS.id_range() == range(128266, 128266 + 7 * 4096)
    prompt = Prompt((128259,), (128009, 128260, 128261, 128257), (128258, 128262), pad=128263)
    assert ORPHEUS.prompt == prompt
    ids = [128266 + 1, 132362 + 2, 136458 + 3, 140554 + 4, 144650 + 5, 148746 + 6, 152842 + 7]
    around = [128259, 1, 17, *prompt.after_text, *ids, *prompt.after_codes, 128263, 128263]
    assert [level.tolist() for level in ORPHEUS.codes_of_ids(around)] == [[1], [2, 5], [3, 4, 6, 7]]
    with pytest.raises(Failure, match="the last frame is cut"):
        ORPHEUS.codes_of_ids(around[:-5])


def test_a_layout_without_ids_says_what_to_add() -> None:
    with pytest.raises(BadInput, match="id_offset = N"):
        OTHER.codes_of_ids([1, 2])


@given(st.data(), st.sampled_from([ORPHEUS, OTHER]))
def test_there_and_back(data: st.DataObject, layout: TokenLayout) -> None:
    codes = data.draw(levels(layout))
    for back in (layout.unflatten(layout.flatten(codes)), read_tokens(layout.text(codes), layout)):
        assert len(back) == layout.levels
        assert all(map(np.array_equal, back, codes))


@given(st.lists(st.integers(0, 40), max_size=40))
def test_text_may_come_in_any_pieces(sizes: list[int]) -> None:
    text = f"{frame(1)} {frame(2)}\r\n\n{frame(3)}{place(0, 1)}junk <custom{frame(4)}\n{token(3)}"
    assert read(text, sizes)[0] == read(text)[0]
    problems = [(bad.line, bad.token, bad.column) for bad in read(text, sizes)[1]]
    assert problems == [(3, 9, read(text)[1][0].column), (4, 1, 1)]


CASES = {
    "below the range": (frame(1) + token(9) + frame(2), "9 is out of range", 8),
    "above the range": (frame(1) + token(10 + 7 * 4096) + frame(2), "28682 is out of range", 8),
    "out of order": (
        frame(1) + place(0, 0) + place(2, 0) + place(3, 0) + frame(2),
        "8202 is for place 3, not 2",
        9,
    ),
    "a frame begins too early": (
        frame(1) + place(0, 5) + place(1, 5) + frame(2),
        "12 is for place 1, not 3",
        10,
    ),
    "text in between": (
        frame(1) + place(0, 0) + " and more " + frame(2),
        "text in between: 'and'",
        9,
    ),
    "a token that is none": (frame(1) + "<custom_token_>" + frame(2), "text in between", 8),
    "a huge number": (frame(1) + token(10**30) + frame(2), "text in between", 8),
}


@pytest.mark.parametrize(("text", "problem", "number"), CASES.values(), ids=CASES)
def test_bad_tokens_are_reported_with_their_place_and_their_frame_is_left_out(
    text: str, problem: str, number: int
) -> None:
    expected = [tuple(range(base, base + 7)) for base in (1, 2)]
    frames, bad = read("\n" + text)
    assert frames == [None, *expected, None]
    assert len(bad) == 1
    assert problem in bad[0].problem
    assert (bad[0].line, bad[0].token) == (2, number)
    with pytest.raises(Failure, match=f"line 1, column .*, token {number}"):
        read_tokens(text, ORPHEUS)


def test_a_cut_frame_is_reported() -> None:
    frames, bad = read(frame(1) + place(0, 1) + place(1, 1) + "\n" + frame(2))
    assert frames == [tuple(range(1, 8)), None, tuple(range(2, 9)), None]
    assert [str(entry) for entry in bad] == [
        f"line 1, column {len(frame(1) + place(0, 1) + place(1, 1)) + 1}, token 10: "
        "the line ends within a frame, after 2 tokens of it"
    ]
    with pytest.raises(Failure, match="ends within a frame"):
        read_tokens(frame(1) + place(0, 1), ORPHEUS)


def test_numbers_are_checked_too() -> None:
    numbers = ORPHEUS.flatten([[1], [2, 5], [3, 4, 6, 7]])
    with pytest.raises(Failure, match="token 2"):
        ORPHEUS.unflatten([numbers[0], 3, *numbers[2:]])
    with pytest.raises(Failure, match="token 1"):
        ORPHEUS.unflatten(numbers[1:])
    with pytest.raises(Failure, match="6 of 7"):
        ORPHEUS.unflatten(numbers[:-1])


def test_codes_that_make_no_frames_are_refused() -> None:
    with pytest.raises(Failure, match="make no frames"):
        ORPHEUS.flatten([[1], [2, 5], [3, 4, 6]])
    with pytest.raises(Failure, match="4095"):
        ORPHEUS.flatten([[4096], [2, 5], [3, 4, 6, 7]])


def test_a_layout_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "layout.toml"
    path.write_text("order = [2, 0, 1, 1, 2, 2, 2]\noffset = 3\ncodebook_size = 16\n")
    assert token_layout(str(path)) == OTHER
    assert token_layout("orpheus") is ORPHEUS


@pytest.mark.parametrize(
    "text",
    [
        "order = [0]",
        "order = [0, 2]\noffset = 1\ncodebook_size = 4",
        "order = []\noffset = 1\ncodebook_size = 4",
        "order = [0]\noffset = -1\ncodebook_size = 4",
        "order = [0]\noffset = 1\ncodebook_size = 0",
        "order = [0]\noffset = 1.5\ncodebook_size = 4",
        "order = 0\noffset = 1\ncodebook_size = 4",
        "order = [0]\noffset = 1\ncodebook_size = 4\nsize = 2",
        "order = [0]\noffset = 1\ncodebook_size = 4\nid_offset = -1",
        "order = [0]\noffset = 1\ncodebook_size = 4\nprompt = 1",
        "order = [0]\noffset = 1\ncodebook_size = 4\n[prompt]\nbefore_text = [1]",
        "order = [0]\noffset = 1\ncodebook_size = 4\n[prompt]\npad = 'x'\nbefore_text = [1]\n"
        "after_text = []\nafter_codes = []",
        "offset = 1",
        "no toml",
    ],
)
def test_a_file_that_is_no_layout_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "layout.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match="no token layout"):
        token_layout(str(path))
    with pytest.raises(BadInput, match="orpheus"):
        token_layout(str(tmp_path / "absent.toml"))


def test_a_layout_must_fit_the_model() -> None:
    ORPHEUS.check_model(Geometry.of(SNAC_24KHZ), 4096)
    with pytest.raises(BadInput, match="4096 codes, the model 16"):
        ORPHEUS.check_model(Geometry.of(SNAC_24KHZ), 16)
    with pytest.raises(BadInput, match="coarse"):
        ORPHEUS.check_model(Geometry.of(CONFIG_DEFAULT), 4096)


def test_stopping_names_the_place() -> None:
    with pytest.raises(Failure, match="line 1, column 2, token 3: no"):
        stop(BadToken(1, 2, 3, "no"))
