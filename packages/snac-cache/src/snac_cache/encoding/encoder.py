"""From utterances to codes, on one device."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from snac_cache.encoding.precision import arithmetic
from snac_cache.encoding.request import GPU_BATCH_SECONDS, Precision
from snac_cache.encoding.upload import can_pin, codec_input
from snac_cache.store.records import Encoded
from snac_common.console import note
from snac_model.audio.header import AudioError
from snac_model.audio.memory import is_out_of_memory
from snac_model.codec.snac import SNAC
from snac_model.shapes.geometry import resampled_length


@dataclass(frozen=True)
class Audio:
    """An utterance as it was read: float32 ``[T]``, and its rate in Hz."""

    samples: torch.Tensor
    rate: int


class UtteranceEncoder:
    """Encodes utterances in batches of equal padded length.

    On a CPU each utterance is encoded alone: batches of long signals leave the caches and are
    slower. Each is padded only as the codec itself pads it, so its codes depend on nothing else.

    Attributes:
        batch_samples: padded samples that a batch should have at most.
        piece_done: told of the id and the seconds of each piece of an utterance that is encoded in
            pieces, as soon as it is done.
    """

    def __init__(
        self,
        model: SNAC,
        device: torch.device,
        precision: Precision = "fp32",
        batch_seconds: float = GPU_BATCH_SECONDS,
    ) -> None:
        self.model = model.to(device).fold_weight_norm()
        self.device = device
        self.precision = precision
        self.geometry = model.geometry
        whole = int(batch_seconds * self.geometry.sample_rate)
        self.batch_samples = whole if device.type == "cuda" else 1
        self.piece_done: Callable[[str, float], object] = lambda utterance_id, seconds: None

    def start(self, batch: Sequence[Audio]) -> "list[Started]":
        """Have the device begin with a batch of utterances of one padded length.

        Where memory does not suffice, it is done in halves, and so are later batches of its size.

        Returns:
            One or several that together are the batch, in its order. Those of an utterance for
            which there is not enough memory even alone have no codes.
        """
        lengths = [self.num_samples(audio) for audio in batch]
        padded = self.geometry.padded_samples(max(lengths))
        size = max(1, self.batch_samples // padded)
        if len(batch) > size:
            return self.start(batch[:size]) + self.start(batch[size:])
        try:
            return [Started(lengths, self._codes_to_host(batch), self._event())]
        except (RuntimeError, MemoryError, AudioError) as error:
            if not lacks_memory(error):
                raise
        # Not in the handler: there the error still holds the tensors for which there was no room.
        return self._start_with_less(batch, padded)

    def num_samples(self, audio: Audio) -> int:
        """Length of an utterance at the codec's rate, before padding."""
        return resampled_length(len(audio.samples), audio.rate, self.geometry.sample_rate)

    @torch.inference_mode()
    def codes(self, audio: torch.Tensor, kept: slice = slice(None)) -> list[torch.Tensor]:
        """Encode ``[B, 1, T]``, padded already; returns int64 ``[B, tokens]`` a level.

        The quantizer works in float32 at any precision: it compares distances that nearly tie.

        Args:
            kept: the latent frames whose codes are wanted, whole coarse tokens.
        """
        with arithmetic(self.precision, self.device):
            latents = self.model.encoder(audio)[..., kept]
        with arithmetic("fp32", self.device):
            levels: list[torch.Tensor] = self.model.quantizer(latents.float())[1]
        return levels

    @torch.inference_mode()
    def codes_of_batch(self, batch: Sequence[Audio]) -> torch.Tensor:
        """Resample and encode a batch; returns int32 ``[B, tokens of all levels]``."""
        samples, rates = [one.samples for one in batch], [one.rate for one in batch]
        audio = codec_input(samples, rates, self.geometry, self.device)
        return torch.cat(self.codes(audio), 1).to(torch.int32)

    def _levels(self, codes: torch.Tensor) -> list[np.ndarray]:
        """Cut one utterance's ``[tokens of all levels]`` into uint16 ``[tokens]`` a level."""
        per_coarse = self.geometry.tokens_per_coarse
        coarse = codes.shape[-1] // sum(per_coarse)
        return list(map(as_uint16, codes.split([coarse * tokens for tokens in per_coarse])))

    def results(self, started: "Started") -> Iterator[Encoded | None]:
        """Wait until a batch is done; yield each utterance's codes, None where memory lacked."""
        if started.codes is None:
            yield from (None for _ in started.lengths)
            return
        if started.event is not None:
            started.event.synchronize()
        for length, codes in zip(started.lengths, started.codes, strict=True):
            yield Encoded(length, self._levels(codes))

    def release_memory(self) -> None:
        """Give back what torch keeps of a GPU's memory for later."""
        if self.device.type == "cuda" and torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _codes_to_host(self, batch: Sequence[Audio]) -> torch.Tensor:
        """Return a batch's codes in the host's memory, where a GPU's arrive some time later."""
        codes = self.codes_of_batch(batch)
        host = torch.empty_like(codes, device="cpu", pin_memory=can_pin(self.device))
        return host.copy_(codes, non_blocking=True)

    def _event(self) -> torch.cuda.Event | None:
        """Return what is reached when the device has done all it was told to."""
        if not can_pin(self.device):
            return None
        return torch.cuda.current_stream(self.device).record_event()

    def _start_with_less(self, batch: Sequence[Audio], padded: int) -> "list[Started]":
        """Go on after a batch for which memory did not suffice."""
        self.release_memory()
        if len(batch) == 1:
            return [Started([self.num_samples(batch[0])], None, None)]
        half = (len(batch) + 1) // 2
        self.batch_samples = min(self.batch_samples, half * padded)
        seconds = self.batch_samples / self.geometry.sample_rate
        note(f"{self.device}: out of memory; batches have at most {seconds:.0f} s of audio now")
        return self.start(batch[:half]) + self.start(batch[half:])


@dataclass(frozen=True)
class Started:
    """A batch that a device is at work on.

    Attributes:
        lengths: of each utterance at the codec's rate, before padding.
        codes: int32 ``[B, tokens of all levels]`` in the host's memory, right once ``event`` has
            come; None if memory did not suffice.
    """

    lengths: list[int]
    codes: torch.Tensor | None
    event: torch.cuda.Event | None


def as_uint16(tokens: torch.Tensor) -> np.ndarray:
    """Return tokens in the host's memory as the cache holds them."""
    return tokens.numpy().astype(np.uint16)


def lacks_memory(error: BaseException) -> bool:
    """Say whether an error, or what it was raised for, is a lack of memory."""
    return is_out_of_memory(error) or (
        error.__cause__ is not None and is_out_of_memory(error.__cause__)
    )
