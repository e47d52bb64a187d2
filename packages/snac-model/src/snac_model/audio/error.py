"""What is wrong with audio, for the ledger of rejects and for people."""

from snac_common.errors import Failure


class AudioError(Failure):
    """A file that cannot be used as audio; ``reason`` is the short code for the rejects."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def describe(error: Exception) -> str:
    """Say what libsndfile or the system said, without the path, which stands beside it."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    text = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split())
