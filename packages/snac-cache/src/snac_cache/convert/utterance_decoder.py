"""Decoding utterances of equal length together, in pieces of bounded size."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch

from snac_cache.convert.audio_out import AudioOutput, Trimmed, to_pcm
from snac_cache.convert.utterance import CodedUtterance
from snac_model.codec.snac import SNAC
from snac_model.codec.streaming import Audio, StreamingDecoder
from snac_model.layers.noise import NoiseSource, SeededNoise, no_noise

# Coarse tokens decoded at a time: so many that weights are read for a good deal of audio.
PIECE = {"cpu": 16, "cuda": 256}

GPU_BATCH_SECONDS = 240.0  # of audio that a GPU decodes together

# 16-bit samples ``[B, T]`` under each rate in Hz.
Pieces = dict[int, np.ndarray]


@dataclass(frozen=True)
class DecodeRequest:
    """What the command was asked for.

    Attributes:
        rates: output rates in Hz.
        noise: ``random``, ``off``, or a seed.
        device: ``cpu`` or ``cuda``.
        threads: on a CPU, each with an utterance of its own.
        batch_seconds: audio of utterances that are decoded together; 0 decodes one at a time.
        stream: write audio as soon as it is final.
        look_ahead: see StreamingDecoder.
    """

    rates: tuple[int, ...]
    noise: str | int
    device: str
    threads: int
    batch_seconds: float = 0.0
    stream: bool = False
    look_ahead: int | None = None

    @property
    def piece(self) -> int:
        """Coarse tokens decoded at a time."""
        return 1 if self.stream else PIECE[self.device]

    def noise_source(self) -> NoiseSource | None:
        """Return the noise of one utterance."""
        if isinstance(self.noise, int):
            return SeededNoise(self.noise)
        return no_noise if self.noise == "off" else None


class UtteranceDecoder:
    """Decodes utterances of equal length, one batch after the other."""

    def __init__(
        self,
        model: SNAC,
        request: DecodeRequest,
        seconds_done: Callable[[float], object] = lambda seconds: None,
    ) -> None:
        self.model = model
        self.seconds_done = seconds_done
        self.request = request
        self.noise = request.noise_source()
        self.streaming: StreamingDecoder | None = None
        if request.stream or model.geometry.decoder_context is not None:
            self.streaming = StreamingDecoder(
                model, rates=request.rates, noise=self.noise, look_ahead=request.look_ahead
            )

    @torch.inference_mode()
    def pieces(self, codes: Sequence[np.ndarray]) -> Iterator[Audio]:
        """Yield the audio of codes ``[B, tokens]``; with local attention it is in one piece."""
        levels = [torch.from_numpy(level).to(self.request.device) for level in codes]
        if self.streaming is None:
            whole = self.model.decode_by_rate(levels, self.noise)
            yield {rate: whole[rate] for rate in self.request.rates}
        else:
            yield from self.streaming.decode(levels, self.request.piece)

    def decode(self, batch: list[CodedUtterance], output: AudioOutput) -> list[CodedUtterance]:
        """Decode a batch into its files.

        A single utterance is written as it is decoded. Of several, which are short, the audio is
        held until all is there: the files are then written one after the other, so that no more
        are open at a time than there are rates, however many utterances a batch has.
        """
        pieces: Iterable[Pieces] = self._samples(batch)
        if len(batch) > 1:
            pieces = list(pieces)
        for position, utterance in enumerate(batch):
            self._write(utterance, position, pieces, output)
        return batch

    def _samples(self, batch: list[CodedUtterance]) -> Iterator[Pieces]:
        """Yield 16-bit samples ``[B, T]`` under each rate."""
        levels = zip(*(utterance.codes for utterance in batch), strict=True)
        for audio in self.pieces([np.stack(level) for level in levels]):
            yield {rate: to_pcm(piece[:, 0].cpu().numpy()) for rate, piece in audio.items()}
            rate, piece = next(iter(audio.items()))
            self.seconds_done(len(batch) * piece.shape[-1] / rate)

    def _write(
        self,
        utterance: CodedUtterance,
        position: int,
        pieces: Iterable[Pieces],
        output: AudioOutput,
    ) -> None:
        """Write the audio of one utterance of a batch into a file for each rate."""
        geometry = self.model.geometry
        with ExitStack() as files:
            writers = {
                rate: Trimmed(
                    files.enter_context(output.open(utterance.utterance_id, rate)),
                    utterance.samples_at(rate, geometry),
                )
                for rate in self.request.rates
            }
            for piece in pieces:
                for rate, samples in piece.items():
                    writers[rate](samples[position])
