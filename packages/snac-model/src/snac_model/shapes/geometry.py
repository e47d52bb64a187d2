"""The one place where time is arithmetic: tokens, latent frames, samples and seconds.

A *latent frame* is one step of the encoder's output and covers ``hop_length`` samples. A token of
a level with stride ``s`` covers ``s`` latent frames. A *coarse token* is one of the first level,
whose stride is the largest; every other level has a whole number of tokens in it.

Free of torch, so that commands can plan with it before anything heavy is imported.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Self

from snac_model.shapes.config import CodecConfig
from snac_model.shapes.decoder_shapes import decoder_shape
from snac_model.shapes.receptive_field import encoder_receptive_field


@dataclass(frozen=True)
class Geometry:
    """How one model's tokens relate to time.

    Attributes:
        sample_rate: the codec's input rate, in Hz.
        hop_length: samples at ``sample_rate`` in one latent frame.
        vq_strides: latent frames in one token of each level, coarsest first.
        attention_window: latent frames in one window of local attention, 1 without attention.
        output_rates: rate of each of the decoder's outputs, in Hz.
        decoder_context: latent frames that a decoded sample depends on, to the farther side of its
            own; None where attention makes the dependence one of absolute windows.
        decoder_look_ahead: those after its own; None as well.
        encoder_context: latent frames beside a piece of whole ``unit_frames``, to each side, whose
            audio the piece's latents depend on.
    """

    sample_rate: int
    hop_length: int
    vq_strides: tuple[int, ...]
    attention_window: int
    output_rates: tuple[int, ...]
    decoder_context: int | None
    decoder_look_ahead: int | None
    encoder_context: int

    @classmethod
    def of(cls, config: CodecConfig) -> Self:
        """Derive the geometry from a model's own configuration.

        Raises:
            ValueError: if a stride does not divide the one before it, or if an output rate is not
                a whole number.
        """
        strides = config.vq_strides
        if any(coarse % fine for coarse, fine in itertools.pairwise(strides)):
            raise ValueError(f"vq_strides {strides}: each must be a multiple of the next")
        hop_length = math.prod(config.encoder_rates)
        decoder = decoder_shape(config)
        scaled = [config.sampling_rate * samples for samples in decoder.samples_per_frame]
        if any(samples % hop_length for samples in scaled):
            raise ValueError(f"decoder_rates {config.decoder_rates} give no whole output rate")
        return cls(
            sample_rate=config.sampling_rate,
            hop_length=hop_length,
            vq_strides=strides,
            attention_window=config.attn_window_size or 1,
            output_rates=tuple(samples // hop_length for samples in scaled),
            decoder_context=max(decoder.reach) if decoder.reach else None,
            decoder_look_ahead=decoder.reach.after if decoder.reach else None,
            encoder_context=encoder_receptive_field(
                config.encoder_rates, config.attn_window_size or 1
            ),
        )

    @property
    def levels(self) -> int:
        """Number of codebooks."""
        return len(self.vq_strides)

    @property
    def frame_rate(self) -> float:
        """Latent frames in a second."""
        return self.sample_rate / self.hop_length

    @property
    def unit_frames(self) -> int:
        """Latent frames that the codec pads to: whole coarse tokens and attention windows."""
        return math.lcm(self.vq_strides[0], self.attention_window)

    @property
    def tokens_per_coarse(self) -> tuple[int, ...]:
        """Tokens of each level in one coarse token: 1, 2, 4 for strides 4, 2, 1."""
        return tuple(self.vq_strides[0] // stride for stride in self.vq_strides)

    @property
    def context_tokens(self) -> int:
        """Coarse tokens to each side that hold ``decoder_context`` latent frames.

        Raises:
            ValueError: for a model with attention, whose context is not bounded in this way.
        """
        return self._in_tokens(self.decoder_context)

    @property
    def look_ahead_tokens(self) -> int:
        """Coarse tokens after a sample's own that it depends on.

        Raises:
            ValueError: as for ``context_tokens``.
        """
        return self._in_tokens(self.decoder_look_ahead)

    def _in_tokens(self, frames: int | None) -> int:
        if frames is None:
            raise ValueError("a decoder with local attention has no fixed context")
        return math.ceil(frames / self.vq_strides[0])

    def padded_samples(self, num_samples: int) -> int:
        """Length after the codec's own padding: whole coarse tokens and attention windows."""
        unit = self.hop_length * self.unit_frames
        return math.ceil(num_samples / unit) * unit

    def encoded_tokens(self, num_samples: int) -> tuple[int, ...]:
        """Tokens of each level that ``encode`` returns for ``num_samples`` samples."""
        frames = self.padded_samples(num_samples) // self.hop_length
        return tuple(frames // stride for stride in self.vq_strides)

    def samples_at(self, rate: int, num_samples: int) -> int:
        """Length at ``rate`` of ``num_samples`` samples at the codec's rate, by ceiling."""
        return resampled_length(num_samples, self.sample_rate, rate)

    def samples_from(self, rate: int, num_frames: int) -> int:
        """Length at the codec's rate of ``num_frames`` samples at ``rate``, by ceiling."""
        return resampled_length(num_frames, rate, self.sample_rate)

    def coarse_samples(self, rate: int | None = None) -> int:
        """Samples at ``rate`` (default: the codec's) that one coarse token covers.

        Raises:
            ValueError: if that is not a whole number.
        """
        rate = rate or self.sample_rate
        samples, remainder = divmod(self.hop_length * self.vq_strides[0] * rate, self.sample_rate)
        if remainder:
            raise ValueError(f"a coarse token is not a whole number of samples at {rate} Hz")
        return samples

    def samples_per_frame(self, rate: int) -> int:
        """Samples of an output of the decoder, at ``rate``, in one latent frame."""
        return self.hop_length * rate // self.sample_rate

    def coarse_tokens(self, seconds: float) -> int:
        """Coarse tokens in a segment of about ``seconds``: the nearest whole number, at least 1."""
        return max(1, round(seconds * self.sample_rate / self.coarse_samples()))

    def seconds(self, coarse_tokens: int) -> float:
        """Duration of ``coarse_tokens`` coarse tokens."""
        return coarse_tokens * self.coarse_samples() / self.sample_rate

    def token_span(self, level: int, start: int, length: int) -> slice:
        """Tokens of ``level`` in ``length`` coarse tokens from coarse token ``start``."""
        per_coarse = self.tokens_per_coarse[level]
        return slice(start * per_coarse, (start + length) * per_coarse)

    def sample_span(self, rate: int, start: int, length: int) -> slice:
        """Samples at ``rate`` that those ``length`` coarse tokens cover: exactly their audio."""
        per_coarse = self.coarse_samples(rate)
        return slice(start * per_coarse, (start + length) * per_coarse)


def resampled_length(num_samples: int, from_rate: int, to_rate: int) -> int:
    """Length at ``to_rate`` of ``num_samples`` samples at ``from_rate``, by ceiling."""
    return math.ceil(num_samples * to_rate / from_rate)
