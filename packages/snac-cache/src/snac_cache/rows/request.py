"""What ``snac-tokens`` is asked for, and what came of it."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from snac_cache.rows.prompts import Pattern
from snac_cache.rows.tokenizer import TextTokenizer
from snac_model.tokens.layout import TokenLayout


@dataclass(frozen=True)
class RowsRequest:
    """What to make rows of, and how.

    Attributes:
        codes: the cache.
        manifest: folder or file.
        layout: of the codes' ids; with a tokenizer it has a prompt too.
        tokenizer: of the text; None leaves text as it is, beside the ids of the codes.
        pattern: of the text.
        text_from: a table with an utterance_id, whose other columns go before the manifest's.
        where: an SQL condition on the manifest's columns, ``text_from`` among them.
        limits: utterances of each split, by a hash of their ids; 0 takes all.
        max_tokens: most ids in an utterance; None for any number.
        pack: ids in a row of several utterances; None for a row each.
        drop_repeated: leave out frames that repeat a coarse token.
        repository: of the Hub, where the rows go; None if they stay.
    """

    codes: Path
    manifest: Path
    layout: TokenLayout
    tokenizer: TextTokenizer | None
    pattern: Pattern
    text_from: Path | None = None
    where: str | None = None
    limits: tuple[int, int] = (0, 0)
    max_tokens: int | None = None
    pack: int | None = None
    drop_repeated: bool = False
    repository: str | None = None

    @property
    def most(self) -> int | None:
        """The most ids that an utterance may have."""
        given = [limit for limit in (self.max_tokens, self.pack) if limit is not None]
        return min(given, default=None)


@dataclass
class RowsReport:
    """What was made.

    Attributes:
        rows: of each split.
        utterances: of each split.
        tokens: ids in all rows, without padding.
        longest: most ids in an utterance.
        frames: of all utterances that were not left out, and how many of them repeat.
        rejects: by reason.
        places: ids that packed rows have room for.
        unlisted: cached utterances that the manifest does not have.
        not_encoded: utterances of the cache's plan that are not in it yet.
    """

    rows: dict[str, int] = field(default_factory=dict)
    utterances: dict[str, int] = field(default_factory=dict)
    tokens: int = 0
    longest: int = 0
    frames: int = 0
    repeated: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    places: int = 0
    unlisted: int = 0
    not_encoded: int = 0

    @property
    def repeated_share(self) -> float:
        """Share of the frames that repeat a coarse token."""
        return self.repeated / self.frames if self.frames else 0.0

    @property
    def filled(self) -> float | None:
        """How full packed rows are; None if there are none."""
        return self.tokens / self.places if self.places else None
