"""How far cached tokens are those that anybody gets who encodes one file by itself.

They need not be. On a GPU the convolution algorithm changes with the batch, and lower precisions
round more. On a CPU the last bit of a sum depends on the processor and on the number of threads,
and where two codes are nearly as close, the last bit decides. So a sample of every cache is encoded
again, as with the official package: read, resampled on the processor with torch's own number of
threads, and encoded alone in float32.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch

from snac_cache.encoding.encoder import UtteranceEncoder
from snac_cache.encoding.precision import arithmetic
from snac_cache.encoding.reading import Row
from snac_cache.store.records import Agreement, Encoded
from snac_cache.work.plan import Part
from snac_model.audio.header import AudioError
from snac_model.audio.reading import read_mono, resample

DEFAULT_THREADS = torch.get_num_threads()  # before a worker sets it
ONE_OF = 1024  # utterances is compared, and one more of each of the first parts of a split
FIRST_PARTS = 8
LONGEST_SECONDS = 30.0  # of a longer utterance, its beginning is compared
UNSURE_SECONDS = 5.0  # at the end of such a beginning: what follows would have changed its codes


def measure(
    encoder: UtteranceEncoder, part: Part, rows: Sequence[Row], encoded: Mapping[int, Encoded]
) -> Agreement:
    """Encode a sample of a part again, one utterance at a time, and count equal tokens.

    Args:
        rows: the part's rows.
        encoded: codes by position in ``rows``.
    """
    agreement = Agreement()
    for position in sample(part, {key: rows[key]["utterance_id"] for key in encoded}):
        agreement += _compare(encoder, rows[position], encoded[position])
    return agreement


def sample(part: Part, ids: Mapping[int, str]) -> list[int]:
    """Choose by a hash of the ids, so that the choice is the same whenever a part is made."""
    hashes = {position: _hash(name) for position, name in ids.items()}
    chosen = {position for position, number in hashes.items() if number % ONE_OF == 0}
    if part.number < FIRST_PARTS and hashes:
        chosen.add(min(hashes, key=lambda position: (hashes[position], position)))
    return sorted(chosen)


def _hash(utterance_id: str) -> int:
    return int.from_bytes(hashlib.sha256(utterance_id.encode()).digest()[:8], "little")


def _compare(encoder: UtteranceEncoder, row: Row, encoded: Encoded) -> Agreement:
    rate = row["source_sample_rate"]
    frames = int(LONGEST_SECONDS * rate)
    try:
        audio, _ = read_mono(row["audio_path"], 0, min(frames, row["num_frames"]))
    except AudioError:
        return Agreement()  # it was there a moment ago; what is cached is right all the same
    with _default_threads():
        plain = plain_codes(encoder, audio, rate)
    coarse = len(plain[0])
    if row["num_frames"] > frames:
        coarse = encoder.geometry.coarse_tokens(LONGEST_SECONDS - UNSURE_SECONDS)
    agreement = Agreement()
    for level, (ours, theirs) in enumerate(zip(encoded.codes, plain, strict=True)):
        span = encoder.geometry.token_span(level, 0, coarse)
        agreement += Agreement(int((ours[span] == theirs[span].numpy()).sum()), len(theirs[span]))
    return agreement


def plain_codes(encoder: UtteranceEncoder, audio: torch.Tensor, rate: int) -> list[torch.Tensor]:
    """Encode audio ``[T]`` as one does with the official package; ``[tokens]`` a level."""
    resampled = resample(audio, rate, encoder.geometry.sample_rate)
    with torch.inference_mode(), arithmetic("fp32", encoder.device):
        levels = encoder.model.encode(resampled[None, None].to(encoder.device))
    return [level[0].cpu() for level in levels]


@contextmanager
def _default_threads() -> Iterator[None]:
    """Compute with as many threads as torch takes when nobody says otherwise.

    No other thread may compute meanwhile, for the number is the whole process's: those that read
    files do not.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(DEFAULT_THREADS)
    try:
        yield
    finally:
        torch.set_num_threads(before)
