"""What a language model expects around a text and the codes of its speech; free of torch."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Prompt:
    """The ids that a language model expects around a text and the codes of its speech.

    Attributes:
        before_text: before the ids of the text.
        after_text: between those of the text and those of the codes.
        after_codes: at the end.
        pad: what fills rows up to one length; None if there is none.
    """

    before_text: tuple[int, ...]
    after_text: tuple[int, ...]
    after_codes: tuple[int, ...]
    pad: int | None = None

    def __post_init__(self) -> None:
        padding = () if self.pad is None else (self.pad,)
        ids = (*self.before_text, *self.after_text, *self.after_codes, *padding)
        if any(type(number) is not int or number < 0 for number in ids):
            raise ValueError("the ids of a prompt are whole numbers, none negative")

    @classmethod
    def of(cls, table: dict[str, Any]) -> "Prompt":
        """Read the table ``[prompt]``; raises TypeError or ValueError if it is none."""
        lists = {name: value for name, value in table.items() if name != "pad"}
        if any(not isinstance(value, list) for value in lists.values()):
            raise ValueError("before_text, after_text and after_codes of a prompt are lists of ids")
        return cls(**{name: tuple(ids) for name, ids in lists.items()}, pad=table.get("pad"))
