"""Codes as the one row of tokens that language models write; free of torch.

A coarse token and the finer tokens that it covers are a *frame*. A layout says in which order a
frame holds them. Position ``p`` in the frame has a range of numbers to itself, from
``offset + codebook_size * p`` on, so that a number tells its code and its position. A language
model trains on *ids*: the places of tokens in its vocabulary.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from snac_common.errors import BadInput, Failure
from snac_model.shapes.geometry import Geometry
from snac_model.tokens.prompt import Prompt

TEXT = "<custom_token_{}>"
PACKAGED = Path(__file__).parent / "layouts"


@dataclass(frozen=True)
class TokenLayout:
    """Order and numbering of the tokens in a frame.

    Attributes:
        order: the level of each position in the frame.
        offset: number of code 0 at the first position.
        codebook_size: distance between the ranges of two positions.
        id_offset: id of number 0; None if the layout does not say which ids tokens have.
        prompt: the ids around a text and its codes, where they are known.
    """

    order: tuple[int, ...]
    offset: int
    codebook_size: int
    id_offset: int | None = None
    prompt: Prompt | None = None

    def __post_init__(self) -> None:
        identified = () if self.id_offset is None else (self.id_offset,)
        numbers = (*self.order, self.offset, self.codebook_size, *identified)
        if any(type(number) is not int or number < 0 for number in numbers):
            raise ValueError("levels, offsets and codebook_size are whole numbers, none negative")
        if not self.order or set(self.order) != set(range(self.levels)):
            raise ValueError("order names every level, from 0 on")
        if not self.codebook_size:
            raise ValueError("codebook_size is at least 1")

    @property
    def levels(self) -> int:
        """Number of codebooks."""
        return len(set(self.order))

    def place(self, number: int) -> tuple[int, int] | None:
        """Return the position and the code that a number tells; None if it is out of range."""
        position, code = divmod(number - self.offset, self.codebook_size)
        return (position, code) if 0 <= position < len(self.order) else None

    def flatten(self, codes: Sequence[ArrayLike]) -> list[int]:
        """Return the numbers of codes: one array ``[tokens]`` a level, coarsest first.

        Raises:
            Failure: if the levels do not make whole frames, or a code is out of range.
        """
        numbers: list[int] = self.frames(codes).reshape(-1).tolist()
        return numbers

    def frames(self, codes: Sequence[ArrayLike]) -> np.ndarray:
        """Return the numbers of codes by frame, int64 ``[frames, positions]``; as ``flatten``."""
        levels = [np.asarray(level).reshape(-1) for level in codes]
        frames = np.zeros((len(levels[0]) // self.order.count(0), len(self.order)), np.int64)
        if [level.size for level in levels] != [
            len(frames) * self.order.count(level) for level in range(self.levels)
        ]:
            raise Failure(f"{[level.size for level in levels]} codes of the levels make no frames")
        for number, level in enumerate(levels):
            frames[:, self._positions(number)] = level.reshape(
                len(frames), self.order.count(number)
            )
        if frames.size and not 0 <= frames.min() <= frames.max() < self.codebook_size:
            raise Failure(f"a code is not in 0 to {self.codebook_size - 1}")
        frames += self.offset + self.codebook_size * np.arange(len(self.order))
        return frames

    def id_range(self) -> range:
        """Return the ids that codes have, of whatever position.

        Raises:
            BadInput: if the layout does not say which ids tokens have.
        """
        if self.id_offset is None:
            raise BadInput(
                "this token layout does not say which ids its tokens have: add to the file "
                "id_offset = N, the id of <custom_token_0> in the language model's vocabulary"
            )
        first = self.id_offset + self.offset
        return range(first, first + len(self.order) * self.codebook_size)

    def codes_of_ids(self, ids: ArrayLike) -> list[np.ndarray]:
        """Return the codes, int64 ``[tokens]`` a level, of those ids that are codes' own.

        All others, those of a text and a prompt, are passed over.

        Raises:
            Failure: as ``unflatten`` does.
        """
        known = self.id_range()
        numbers = np.asarray(ids, np.int64)
        numbers = numbers[(numbers >= known.start) & (numbers < known.stop)]
        return self.unflatten((numbers - (known.start - self.offset)).tolist())

    def to_levels(self, frames: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """Return frames of codes as int64 ``[tokens]`` a level, coarsest first."""
        table = np.array(frames, np.int64).reshape(-1, len(self.order))
        return [table[:, self._positions(level)].reshape(-1) for level in range(self.levels)]

    def unflatten(self, numbers: Sequence[int]) -> list[np.ndarray]:
        """Return the codes, int64 ``[tokens]`` a level, of numbers that make whole frames.

        Raises:
            Failure: naming the first number that is out of range or out of order, or a cut frame.
        """
        width, codes = len(self.order), []
        for index, number in enumerate(numbers):
            place = self.place(number)
            if place is None or place[0] != index % width:
                raise Failure(f"token {index + 1}: {number} does not belong there")
            codes.append(place[1])
        if len(codes) % width:
            raise Failure(f"the last frame is cut: it has {len(codes) % width} of {width} tokens")
        return self.to_levels([codes[i : i + width] for i in range(0, len(codes), width)])

    def text(self, codes: Sequence[ArrayLike]) -> str:
        """Return codes as one line of ``<custom_token_N>``."""
        return "".join(TEXT.format(number) for number in self.flatten(codes))

    def check_model(self, geometry: Geometry, codebook_size: int) -> None:
        """Raise BadInput unless frames and codes are those of a model."""
        counts = tuple(self.order.count(level) for level in range(self.levels))
        if counts != geometry.tokens_per_coarse:
            raise BadInput(
                f"a frame of this token layout has {list(counts)} tokens of its levels, a coarse "
                f"token of the model {list(geometry.tokens_per_coarse)}: describe the model's "
                "layout in a file, --tokens FILE"
            )
        if self.codebook_size != codebook_size:
            raise BadInput(
                f"this token layout counts {self.codebook_size} codes, the model {codebook_size}: "
                "describe the model's layout in a file, --tokens FILE"
            )

    def _positions(self, level: int) -> list[int]:
        return [position for position, of in enumerate(self.order) if of == level]


def read_layout(path: Path) -> TokenLayout:
    """Read a layout from a TOML file; raises OSError, KeyError, TypeError, ValueError."""
    fields: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    prompt = Prompt.of(fields.pop("prompt")) if "prompt" in fields else None
    return TokenLayout(**{**fields, "order": tuple(fields["order"]), "prompt": prompt})


ORPHEUS = read_layout(PACKAGED / "orpheus.toml")
LAYOUTS = {"orpheus": ORPHEUS}


def token_layout(name: str) -> TokenLayout:
    """Return a layout by its name (``orpheus``), or from a TOML file like the packaged one.

    Raises:
        BadInput: if there is no such layout, or the file describes none.
    """
    if name in LAYOUTS:
        return LAYOUTS[name]
    try:
        return read_layout(Path(name))
    except FileNotFoundError:
        known = ", ".join(LAYOUTS)
        raise BadInput(f"there is no token layout {name}: give {known} or a TOML file") from None
    except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"{name} is no token layout: {error}. It looks like this: order = [0, 1, 2, 2, 1, 2, 2]"
            ", offset = 10, codebook_size = 4096, a line each; docs/tokens.md shows the rest."
        ) from error
