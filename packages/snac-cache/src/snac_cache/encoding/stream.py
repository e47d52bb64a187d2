"""A stream of utterances to a stream of codes: reading, encoding and fetching beside each other."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Generic, TypeVar

from snac_cache.encoding.ahead import read_ahead
from snac_cache.encoding.batches import plan_batches
from snac_cache.encoding.encoder import Audio, Started, UtteranceEncoder
from snac_cache.encoding.long import encode_long, is_long
from snac_cache.encoding.reading import Row, check_unchanged, read_utterance
from snac_cache.store.records import Encoded
from snac_model.audio.header import AudioError

# A GPU encodes thousands of seconds of audio a second, and files may lie on a network. A worker
# that reads ahead takes its next part early, so a processor reads only a few utterances ahead.
READ_AHEAD_SECONDS = {"cpu": 5.0, "cuda": 1200.0}

Key = TypeVar("Key")
Result = Encoded | AudioError
Read = Audio | AudioError | None  # None: it is too long to be held, and read while it is encoded


@dataclass(frozen=True)
class Utterance(Generic[Key]):
    """A manifest row, and what its result is known by."""

    key: Key
    row: Row


@dataclass
class _Batch(Generic[Key]):
    """A batch on its way: results that are known, and utterances that the device is at work on."""

    done: list[tuple[Key, Result]] = field(default_factory=list)
    utterances: list[Utterance[Key]] = field(default_factory=list)
    started: list[Started] = field(default_factory=list)


def encode_stream(
    encoder: UtteranceEncoder, windows: Iterable[Sequence[Utterance[Key]]], threads: int
) -> Iterator[tuple[Key, Result]]:
    """Encode utterances, each once, in no particular order; what is wrong with one is its result.

    Args:
        windows: utterances among which batches of equal length are looked for. The next window is
            asked for while the one before is still being encoded.
        threads: that read ahead.

    While a GPU is at work on a batch, the next one is prepared and sent to it.
    """
    loaded = read_ahead(
        (batch for window in windows for batch in _batches(encoder, window)),
        lambda utterance: _read(encoder, utterance),
        lambda utterance: 0.0 if _is_long(encoder, utterance) else utterance.row["duration_s"],
        threads=threads,
        seconds=READ_AHEAD_SECONDS[encoder.device.type],
    )
    waiting: deque[_Batch[Key]] = deque()
    for batch in loaded:
        waiting.append(_start(encoder, batch))
        if len(waiting) > 1:
            yield from _finish(encoder, waiting.popleft())
    while waiting:
        yield from _finish(encoder, waiting.popleft())


def _batches(
    encoder: UtteranceEncoder, window: Sequence[Utterance[Key]]
) -> Iterator[list[Utterance[Key]]]:
    """Yield the long ones of a window, each by itself, then batches of the others."""
    short: list[Utterance[Key]] = []
    for utterance in window:
        if _is_long(encoder, utterance):
            yield [utterance]
        else:
            short.append(utterance)
    lengths = [_num_samples(encoder, utterance) for utterance in short]
    for batch in plan_batches(lengths, encoder.geometry, encoder.batch_samples):
        yield [short[position] for position in batch]


def _num_samples(encoder: UtteranceEncoder, utterance: Utterance[Key]) -> int:
    row = utterance.row
    return encoder.geometry.samples_from(row["source_sample_rate"], row["num_frames"])


def _is_long(encoder: UtteranceEncoder, utterance: Utterance[Key]) -> bool:
    return is_long(_num_samples(encoder, utterance), encoder.geometry)


def _read(encoder: UtteranceEncoder, utterance: Utterance[Key]) -> Read:
    """Read an utterance, in a thread of its own."""
    row = utterance.row
    if not _is_long(encoder, utterance):
        samples = read_utterance(row)
        return samples if isinstance(samples, AudioError) else Audio(samples, _rate(row))
    try:
        check_unchanged(row)
    except AudioError as error:
        return error
    return None


def _rate(row: Row) -> int:
    return int(row["source_sample_rate"])


def _start(encoder: UtteranceEncoder, loaded: Sequence[tuple[Utterance[Key], Read]]) -> _Batch[Key]:
    """Have the device begin with what could be read of a batch."""
    batch: _Batch[Key] = _Batch()
    audios: list[Audio] = []
    for utterance, read in loaded:
        if isinstance(read, AudioError):
            batch.done.append((utterance.key, read))
        elif read is None:
            batch.done.append((utterance.key, encode_long(encoder, utterance.row)))
        else:
            batch.utterances.append(utterance)
            audios.append(read)
    if audios:
        batch.started = encoder.start(audios)
    return batch


def _finish(encoder: UtteranceEncoder, batch: _Batch[Key]) -> Iterator[tuple[Key, Result]]:
    """Yield the results of a batch; what was too long to be encoded in one go goes in pieces."""
    yield from batch.done
    results = chain.from_iterable(map(encoder.results, batch.started))
    for utterance, encoded in zip(batch.utterances, results, strict=True):
        yield utterance.key, encoded or encode_long(encoder, utterance.row)
