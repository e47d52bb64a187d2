"""Telling a lack of memory from other errors; free of torch."""

from collections.abc import Iterator
from contextlib import contextmanager

from snac_model.audio.header import AudioError

TORCHS_WORDS = ("can't allocate memory", "out of memory")  # of its CPU's and GPU's allocators


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error means that memory, a GPU's included, could not be had."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in TORCHS_WORDS)


@contextmanager
def refuse_too_large() -> Iterator[None]:
    """Turn a lack of memory within into an AudioError, for it is one utterance's that fails.

    Raises:
        AudioError: ``too_large``.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        detail = "there is not enough memory for this audio: cut it into shorter files"
        raise AudioError("too_large", detail) from error
