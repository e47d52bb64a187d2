"""Kinds of audio files that libsndfile does not read or write."""

from pathlib import Path
from typing import Any

OTHER_AUDIO = frozenset(
    {".aac", ".ac3", ".amr", ".m4a", ".m4b", ".mka", ".mov", ".mp4", ".webm", ".wma", ".wv"}
)


def with_plain_reason(reject: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the rejects; of a file of another kind, with what can be done."""
    path = Path(reject["audio_path"])
    if reject["reason"] != "unreadable" or path.suffix.lower() not in OTHER_AUDIO:
        return reject
    detail = (
        f"{path.suffix[1:]} files are not read; wav, flac, ogg, opus and mp3 are. Convert it: "
        f"ffmpeg -i {path.name!r} {path.stem + '.wav'!r}"
    )
    return {**reject, "reason": "unsupported_format", "detail": detail}
