"""Codes to audio: any number of utterances, several at a time."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from queue import SimpleQueue

from snac_cache.convert.ahead import map_ahead
from snac_cache.convert.audio_out import AudioOutput
from snac_cache.convert.converted import Converted
from snac_cache.convert.read import Row
from snac_cache.convert.rejects import Rejects, Unusable
from snac_cache.convert.utterance import CodedUtterance
from snac_cache.convert.utterance_decoder import DecodeRequest, UtteranceDecoder
from snac_cache.encoding.batches import plan_batches
from snac_model.codec.snac import SNAC

UTTERANCES_IN_WINDOW = 512


def decode_utterances(
    model: SNAC,
    rows: Iterable[Row | Unusable],
    request: DecodeRequest,
    output: AudioOutput,
    rejects: Rejects,
    *,
    seconds_done: Callable[[float], object],
) -> Converted:
    """Decode rows of codes as they come; memory is bounded, whatever their number and length.

    ``seconds_done`` is told of seconds of audio, within long utterances too.

    Raises:
        BadInput: if there are several utterances for one file.
    """
    decoders: SimpleQueue[UtteranceDecoder] = SimpleQueue()
    for _ in range(request.threads):
        decoders.put(UtteranceDecoder(model, request, seconds_done))

    def work(batch: list[CodedUtterance]) -> list[CodedUtterance]:
        decoder = decoders.get()
        try:
            return decoder.decode(batch, output)
        finally:
            decoders.put(decoder)

    done = Converted()
    usable = _usable(model, rows, output, rejects)
    batches = _equal_lengths(model, usable, request.batch_seconds)
    for batch in map_ahead(work, batches, request.threads):
        done.utterances += len(batch)
        done.audio_seconds += sum(item.seconds(model.geometry) for item in batch)
    return done


def _usable(
    model: SNAC, rows: Iterable[Row | Unusable], output: AudioOutput, rejects: Rejects
) -> Iterator[CodedUtterance]:
    """Yield the rows that can be decoded; record the others."""
    for row in rows:
        try:
            if isinstance(row, Unusable):
                raise row
            utterance = CodedUtterance.of(row, model.geometry, model.config.codebook_size)
            output.claim(utterance.utterance_id)
        except Unusable as unusable:
            rejects.add(unusable.row())
        else:
            yield utterance


def _equal_lengths(
    model: SNAC, utterances: Iterator[CodedUtterance], batch_seconds: float
) -> Iterator[list[CodedUtterance]]:
    """Yield batches of utterances that have equally many tokens; without seconds, one at a time."""
    geometry = model.geometry
    most = int(batch_seconds * geometry.sample_rate)
    while window := list(islice(utterances, UTTERANCES_IN_WINDOW if most else 1)):
        lengths = [
            geometry.sample_span(geometry.sample_rate, 0, item.coarse_tokens).stop
            for item in window
        ]
        for batch in plan_batches(lengths, geometry, most):
            yield [window[position] for position in batch]
