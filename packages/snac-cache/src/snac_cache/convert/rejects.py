"""What a conversion leaves out, recorded as the other commands record it."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snac_cache.schema import REJECTS
from snac_common.console import note, visible
from snac_common.errors import Failure
from snac_common.files import clear_leftovers, write_text


class Unusable(Failure):
    """Codes that cannot be decoded; ``reason`` is the short code for the rejects."""

    def __init__(self, reason: str, detail: str, utterance_id: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.utterance_id = utterance_id

    def row(self) -> dict[str, Any]:
        """Return the row for the rejects."""
        return {
            "utterance_id": self.utterance_id,
            "audio_path": "",
            "stage": "decode",
            "reason": self.reason,
            "detail": self.detail,
        }


class Rejects:
    """Collects what is left out, and says it on stderr."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(self, row: dict[str, Any]) -> None:
        """Record a row; columns of the rejects that it lacks are empty."""
        self.rows.append({name: row.get(name) for name in REJECTS.names})
        note(visible(f"rejected {row['utterance_id']}: {row['reason']}: {row['detail']}"))

    @property
    def reasons(self) -> Counter[str]:
        """How many were left out, by reason."""
        return Counter(row["reason"] for row in self.rows)


def rejects_path(output: str) -> Path | None:
    """Return where the rejects go unless told otherwise: beside a file or folder."""
    path = Path(output)
    return None if output == "-" else path.with_name(path.name + ".rejects.jsonl")


@contextmanager
def recorded_rejects(path: Path | None) -> Iterator[Rejects]:
    """Yield an empty collection; at the end write what is in it as JSON lines, if anything is."""
    rejects = Rejects()
    try:
        yield rejects
    finally:
        if path:
            clear_leftovers(path.parent)
        if path and rejects.rows:
            write_text(path, "".join(json.dumps(row) + "\n" for row in rejects.rows))
        elif path:
            path.unlink(missing_ok=True)
