"""From utterances to codes, on one device."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from snac_cache.encoding.batches import plan_batches
from snac_cache.encoding.precision import arithmetic
from snac_cache.encoding.reading import load_utterance
from snac_cache.encoding.request import Precision
from snac_cache.store.records import Agreement, Encoded
from snac_model.audio_header import AudioError
from snac_model.codec import SNAC

GPU_BATCH_SECONDS = 240.0
READING_THREADS = 4
COMPARED_ALONE = 8


class UtteranceEncoder:
    """Encodes utterances in batches of equal padded length.

    On a CPU each utterance is encoded alone: batches of long signals leave the caches and are
    slower. Each is padded only as the codec itself pads it, so its codes depend on nothing else.
    """

    def __init__(self, model: SNAC, device: torch.device, precision: Precision = "fp32") -> None:
        self.model = model.to(device).fold_weight_norm()
        self.device = device
        self.precision = precision
        self.geometry = model.geometry
        rate = self.geometry.sample_rate
        self.batch_samples = int(GPU_BATCH_SECONDS * rate) if device.type == "cuda" else 1

    @property
    def is_exact(self) -> bool:
        """Whether codes are as if encoded one at a time in float32, for that is what is done."""
        return self.device.type == "cpu" and self.precision == "fp32"

    def encode(self, rows: list[dict[str, Any]]) -> Iterator[tuple[int, Encoded | AudioError]]:
        """Encode manifest rows; yields each row's position once, in no particular order."""
        lengths = [
            self.geometry.samples_from(row["source_sample_rate"], row["num_frames"]) for row in rows
        ]
        batches = plan_batches(lengths, self.geometry, self.batch_samples)
        with ThreadPoolExecutor(READING_THREADS) as pool:
            for batch, loading in _load_ahead(pool, batches, rows, self.geometry.sample_rate):
                loaded = [future.result() for future in loading]
                yield from self._encode_batch(batch, loaded)

    def compare_alone(self, rows: list[dict[str, Any]], encoded: dict[int, Encoded]) -> Agreement:
        """Encode a few utterances again one at a time, in float32, and count equal tokens.

        On a GPU the convolution algorithm changes with the batch; this says how much that and a
        lower precision matter.
        """
        agreement = Agreement()
        for position in sorted(encoded)[:COMPARED_ALONE]:
            audio = load_utterance(rows[position], self.geometry.sample_rate)
            assert isinstance(audio, torch.Tensor)
            alone = self._encode_tensor(audio[None], "fp32")
            for level, codes in zip(alone, encoded[position].codes, strict=True):
                agreement += Agreement(int((level[0] == codes).sum()), len(codes))
        return agreement

    def _encode_batch(
        self, batch: list[int], loaded: list[torch.Tensor | AudioError]
    ) -> Iterator[tuple[int, Encoded | AudioError]]:
        good = []
        for position, audio in zip(batch, loaded, strict=True):
            if isinstance(audio, AudioError):
                yield position, audio
            else:
                good.append((position, audio))
        if not good:
            return
        padded = torch.nn.utils.rnn.pad_sequence([audio for _, audio in good], batch_first=True)
        levels = self._encode_tensor(padded, self.precision)
        for index, (position, audio) in enumerate(good):
            yield position, Encoded(len(audio), [level[index] for level in levels])

    @torch.inference_mode()
    def _encode_tensor(self, audio: torch.Tensor, precision: Precision) -> list[np.ndarray]:
        """Encode ``[B, T]``; returns uint16 ``[B, tokens]`` a level.

        The quantizer works in float32 at any precision: it compares distances that nearly tie.
        """
        padded = self.model.preprocess(audio[:, None].to(self.device))
        with arithmetic(precision, self.device):
            latents = self.model.encoder(padded)
        with arithmetic("fp32", self.device):
            _, codes = self.model.quantizer(latents.float())
        return [level.to("cpu", torch.int32).numpy().astype(np.uint16) for level in codes]


def _load_ahead(
    pool: ThreadPoolExecutor, batches: list[list[int]], rows: list[dict[str, Any]], rate: int
) -> Iterator[tuple[list[int], list[Any]]]:
    """Yield each batch with its futures, the next batch already loading."""
    waiting: list[tuple[list[int], list[Any]]] = []
    for batch in batches:
        futures = [pool.submit(load_utterance, rows[position], rate) for position in batch]
        waiting.append((batch, futures))
        if len(waiting) > 1:
            yield waiting.pop(0)
    yield from waiting
