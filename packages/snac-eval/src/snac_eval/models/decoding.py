"""Decoding a cached utterance with every model, alike each time."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from snac_cache.store.code_store import CodeStore
from snac_eval.models.evaluated import LoadedModel
from snac_eval.models.names import resampled_name
from snac_eval.models.references import Rates, read_source
from snac_model.audio.reading import resample
from snac_model.layers.noise import SeededNoise


@dataclass(frozen=True)
class Output:
    """What a model makes of an utterance at one rate: ``audio`` is float32 ``[T]``."""

    model: str
    rate: int
    audio: torch.Tensor


class Decoder:
    """Decodes whole utterances, one at a time.

    A model with an encoder or quantizer of its own decodes the codes that it makes of the audio.

    Args:
        models: the base first.
        store: the codes.
        seed: together with an utterance's id it decides the noise, which is one for all models.
        device: where to decode.
        segment_s: length of a segment from each utterance's start; whole utterances if None.
    """

    def __init__(
        self,
        models: Sequence[LoadedModel],
        store: CodeStore,
        seed: int,
        device: torch.device,
        segment_s: float | None = None,
    ) -> None:
        self.models = {model.name: model.model.to(device) for model in models}
        self.own_codes = {model.name for model in models if model.own_codes}
        self.base = models[0].name
        self.store = store
        self.rates = Rates.of(store.geometry)
        self.seed = seed
        self.device = device
        self.segment_tokens = _segment_tokens(store, segment_s)

    def num_samples(self, index: int) -> int:
        """Samples at the codec's rate of an utterance that are decoded."""
        geometry, samples = self.store.geometry, self.store[index].num_samples
        if self.segment_tokens is None:
            return samples
        covered = geometry.sample_span(geometry.sample_rate, 0, self.segment_tokens)
        return min(samples, covered.stop)

    def seconds(self, index: int) -> float:
        """Length of what is decoded of an utterance."""
        return self.num_samples(index) / self.store.geometry.sample_rate

    def outputs(self, index: int) -> list[Output]:
        """Decode an utterance with every model, each head at its own rate.

        The base's output at the lower rate, resampled to the higher, is always among them: it is
        what one would do without a trained head.
        """
        outputs = self.decode(index)
        if outputs[0].rate == self.rates.low:
            outputs.insert(1, self._resampled(outputs[0]))
        return outputs

    def versions(self) -> list[tuple[str, int]]:
        """Return model and rate of each output, in their order."""
        found = [
            (name, rate)
            for name, model in self.models.items()
            for rate in model.geometry.output_rates
        ]
        if found[0][1] == self.rates.low:
            found.insert(1, (resampled_name(self.base), self.rates.high))
        return found

    @torch.inference_mode()
    def decode(self, index: int) -> list[Output]:
        """Decode an utterance with every model, the base's own head first.

        Raises:
            NoReference: if a model must encode the audio itself, and it cannot be had.
        """
        utterance, samples = self.store[index], self.num_samples(index)
        codes = {name: self._cached(index) for name in self.models.keys() - self.own_codes}
        if self.own_codes:
            audio = read_source(utterance, self.store.geometry).to(self.device)
            codes |= {name: self._encoded(name, audio) for name in self.own_codes}
        noise = SeededNoise(utterance_seed(self.seed, utterance.utterance_id))
        return [
            output
            for name in self.models
            for output in self._decode(name, codes[name], noise, samples)
        ]

    def _cached(self, index: int) -> list[torch.Tensor]:
        length = self._tokens_of(self.store.coarse_tokens(index))
        return [
            torch.from_numpy(level.astype(np.int64))[None].to(self.device)
            for level in self.store.codes(index, 0, length)
        ]

    def _encoded(self, name: str, audio: torch.Tensor) -> list[torch.Tensor]:
        codes = self.models[name].encode(audio[None, None])
        geometry, length = self.store.geometry, self._tokens_of(codes[0].shape[-1])
        return [
            level[:, geometry.token_span(number, 0, length)] for number, level in enumerate(codes)
        ]

    def _tokens_of(self, available: int) -> int:
        return min(available, self.segment_tokens or available)

    def _decode(
        self, name: str, codes: list[torch.Tensor], noise: SeededNoise, num_samples: int
    ) -> list[Output]:
        model = self.models[name]
        decoded = model.trim(model.decode_by_rate(codes, noise), num_samples)
        return [Output(name, rate, audio[0, 0]) for rate, audio in decoded.items()]

    @torch.inference_mode()
    def _resampled(self, output: Output) -> Output:
        audio = resample(output.audio, self.rates.low, self.rates.high)
        return Output(resampled_name(output.model), self.rates.high, audio)


def utterance_seed(seed: int, utterance_id: str) -> int:
    """Return the seed of one utterance, whatever is evaluated beside it."""
    digest = hashlib.sha256(f"{seed}/{utterance_id}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def _segment_tokens(store: CodeStore, seconds: float | None) -> int | None:
    """Coarse tokens that hold a segment, in whole windows where the model has attention."""
    if seconds is None:
        return None
    return store.geometry.encoded_tokens(math.ceil(seconds * store.geometry.sample_rate))[0]
