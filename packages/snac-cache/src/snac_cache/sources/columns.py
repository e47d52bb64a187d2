"""Which columns of a source say what, and what all others become."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from snac_cache.schema import MANIFEST, is_reserved
from snac_common.errors import BadInput

# What a reader must know of a row, and the names that people give it; the first that is there.
USUAL: dict[str, tuple[str, ...]] = {
    "id": ("id", "utterance_id", "utt_id"),
    "audio": (
        *("audio", "audio_filepath", "audio_path", "file_name", "path", "file", "filename"),
        *("wav", "wav_path", "wav_file", "audio_file"),
    ),
    "text": ("text", "transcript", "transcription", "sentence", "text_normalized"),
    "speaker": ("speaker", "speaker_id", "spk", "spk_id", "client_id"),
    "language": ("language", "lang", "locale"),
    "split": ("split",),
    "start": (),  # so named in many tables that tell of files which were cut already
    "end": (),
    "duration": (),
}
SAID = ("text", "speaker", "language")  # kept under these names, as text
CONSUMED = ("id", "audio", "split", "start", "end", "duration")  # used up where they are given


@dataclass(frozen=True)
class Columns:
    """Which column of a source is which.

    Attributes:
        given: by name, the source's column; empty for none.
    """

    given: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Columns":
        """Read ``--column NAME=COLUMN``; raises BadInput for anything else."""
        given = {}
        for text in texts:
            name, equals, column = text.partition("=")
            if not equals or not name:
                raise BadInput(f"--column {text}: say NAME=COLUMN, such as --column text=sentence")
            given[name] = column
        return cls(given)

    def find(self, name: str, there: Iterable[str], usual: Iterable[str] = ()) -> str | None:
        """Return the source's column that holds ``name``, of those that are there.

        Args:
            usual: names that mean it in this form of source, if not those of ``USUAL``.
        """
        if name in self.given:
            return self.given[name] or None
        known = set(there)
        return next((one for one in usual or USUAL.get(name, ()) if one in known), None)

    def kept(self, row: Mapping[str, Any], consumed: Iterable[str | None] = ()) -> dict[str, Any]:
        """Return what a row says beside its audio, by the names of the manifest's columns.

        Args:
            consumed: columns that were used up, such as the path.
        """
        renamed = {column: name for name, column in self.given.items() if column}
        for name in SAID:
            if name not in self.given and (column := self.find(name, row)):
                renamed[column] = name
        kept = {}
        gone = set(consumed)
        for column, value in row.items():
            name = renamed.get(column, column)
            if column in gone or value is None or (column in renamed and name in CONSUMED):
                continue
            kept[_free(name)] = _plain(str(value) if name in SAID else value)
        return kept


def _free(name: str) -> str:
    """Return a name that the manifest and the cache have no column of."""
    return f"source_{name}" if name in MANIFEST.names or is_reserved(name) else name


def _plain(value: Any) -> Any:
    """Return a value as text, a number or a truth value; lists and the like as JSON."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()  # JSON may hold halves of characters
    if isinstance(value, bool | int | float):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
