"""The codec: encoder, residual quantizer, decoder, with the official package's interface."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrize

from snac_common.errors import Failure
from snac_model.codec.encoder_lengths import encode_block, has_lengths
from snac_model.codec.long_encoding import encode_by_pieces
from snac_model.codec.quantizer import ResidualVectorQuantizer
from snac_model.decoders.kinds import build_decoder
from snac_model.decoders.protocol import Decoder, Head
from snac_model.files.model_files import build, fill, read_model
from snac_model.layers.attention import LocalAttention
from snac_model.layers.convolutions import EncoderBlock, conv
from snac_model.layers.noise import NoiseSource, RandomNoise
from snac_model.layers.segments import Features, Segments, cut
from snac_model.shapes.config import CodecConfig
from snac_model.shapes.geometry import Geometry
from snac_model.shapes.pieces import PiecePlan


class Encoder(nn.Module):
    """Audio ``[B, 1, T]`` to latents ``[B, C, T / hop]``."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        channels = config.encoder_dim
        layers: list[nn.Module] = [conv(1, channels, 7, padding=3)]
        for stride in config.encoder_rates:
            layers.append(EncoderBlock(channels, stride, config.depthwise))
            channels *= 2
        if config.attn_window_size is not None:
            layers.append(LocalAttention(channels, config.attn_window_size))
        groups = channels if config.depthwise else 1
        layers.append(conv(channels, channels, 7, padding=3, groups=groups))
        self.block = nn.Sequential(*layers)

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        """Map ``[B, 1, T]`` to ``[B, C, T / hop]``."""
        if not has_lengths(audio):
            return self.block(audio)
        for layer in self.block:
            audio = encode_block(layer, audio) if isinstance(layer, EncoderBlock) else layer(audio)
        return audio


class SNAC(nn.Module):
    """The codec, with the official class's interface and state-dict keys.

    Takes the official constructor's keyword arguments; see CodecConfig for them.
    """

    has_two_heads: ClassVar[bool] = False

    decoder: Any  # of the kind that the configuration names; ``synthesizer`` is what all kinds have

    def __init__(self, **config: Any) -> None:
        super().__init__()
        self.config = CodecConfig.from_dict(config)
        if self.config.dual_head and not self.has_two_heads:
            raise Failure(
                "this configuration has two heads: build a DualHeadSNAC, or use snac_model.load"
            )
        self.geometry = Geometry.of(self.config)
        self.encoder = Encoder(self.config)
        self.quantizer = ResidualVectorQuantizer(
            self.config.latent_channels,
            self.config.codebook_size,
            self.config.codebook_dim,
            self.config.vq_strides,
        )
        self.decoder = build_decoder(self.config)
        self._set_official_attributes()

    def _set_official_attributes(self) -> None:
        """Have what the official class lets one read."""
        config = self.config
        self.sampling_rate = config.sampling_rate
        self.encoder_dim, self.encoder_rates = config.encoder_dim, list(config.encoder_rates)
        self.decoder_dim, self.decoder_rates = config.decoder_dim, list(config.decoder_rates)
        self.latent_dim = config.latent_channels
        self.hop_length = self.geometry.hop_length
        self.n_codebooks, self.vq_strides = self.geometry.levels, list(config.vq_strides)
        self.codebook_size, self.codebook_dim = config.codebook_size, config.codebook_dim
        self.attn_window_size = config.attn_window_size

    @classmethod
    def from_config(cls, config_path: str | Path) -> Self:
        """Build an untrained model from a ``config.json``."""
        return cls(**CodecConfig.read(Path(config_path)).to_dict())

    @classmethod
    def from_pretrained(cls, repo_id: str | Path, **hub_options: Any) -> Self:
        """Load a Hub id, a folder or ``builtin:NAME`` in evaluation mode; see ``snac_model.load``.

        Raises:
            Failure: if it cannot be loaded, or holds a model of another class.
        """
        stored = read_model(repo_id, **hub_options)
        if stored.config.dual_head != cls.has_two_heads:
            other = "one head, not two" if cls.has_two_heads else "two heads, not one"
            raise Failure(f"{repo_id} is no {cls.__name__}: it has {other}")
        model: Self = build(cls, stored.config, stored.described_by)
        fill(model, stored)
        return model.eval()

    def preprocess(self, audio: torch.Tensor) -> torch.Tensor:
        """Pad ``[B, 1, T]`` on the right to whole coarse tokens and attention windows."""
        length = audio.shape[-1]
        return F.pad(audio, (0, self.geometry.padded_samples(length) - length))

    def encode(self, audio: torch.Tensor) -> list[torch.Tensor]:
        """Return the codes of audio ``[B, 1, T]``: int64 ``[B, tokens]``, coarsest level first."""
        return self.quantizer(self.encoder(self.preprocess(audio)))[1]

    @torch.no_grad()
    def encode_long(
        self, blocks: Iterable[torch.Tensor] | torch.Tensor, piece_seconds: float | None = None
    ) -> list[torch.Tensor]:
        """Return the codes of a recording of any length, in memory that does not grow with it.

        They are the codes of ``encode`` but for rounding, which may decide a near tie otherwise.

        Args:
            blocks: audio at the codec's rate, ``[T]``, ``[B, T]`` or ``[B, 1, T]``: one tensor, or
                its parts in order, of any length, as ``snac_model.resampled_blocks`` reads.
            piece_seconds: how much is encoded at a time, to the nearest unit of padding; by default
                what is fast on a CPU in little memory (see ``PiecePlan.of``).

        Returns:
            int64 ``[B, tokens]``, coarsest level first.

        Raises:
            AudioError: ``empty`` if there is no audio.
        """
        plan = PiecePlan.of(self.geometry, piece_seconds)
        return encode_by_pieces(plan, blocks, self._encode_piece)

    def _encode_piece(self, audio: torch.Tensor, kept: slice) -> list[torch.Tensor]:
        """Return the codes of some latent frames of audio ``[B, 1, T]``, whole coarse tokens."""
        return self.quantizer(self.encoder(audio.to(self.device))[..., kept])[1]

    def decode(
        self, codes: Sequence[torch.Tensor], noise: NoiseSource | None = None
    ) -> Any:  # the dual head returns a pair
        """Return the audio ``[B, 1, T]`` of codes ``[B, tokens]``, whole coarse tokens long.

        ``decode_by_rate`` returns the same as a dict, whatever the number of heads.

        Args:
            codes: int64, one tensor a level, coarsest first.
            noise: where the noise blocks get their noise; torch's global generator by default.
        """
        return _official(self.decode_by_rate(codes, noise))

    def decode_latents(
        self,
        z: torch.Tensor,
        noise: NoiseSource | None = None,
        segments: Segments | None = None,
    ) -> dict[int, torch.Tensor]:
        """Return the audio of quantized latents ``[B, C, frames]``, ``[B, 1, T]`` by rate in Hz.

        Autocast, if it is on, reaches the trunk alone: heads compute in float32, as half precision
        would round the audio to 8 bits, which is as loud as speech is at 10 kHz.

        Args:
            z: the latents.
            noise: as for ``decode``.
            segments: what alone is wanted of the audio; default all. The segments' audio is what it
                is within the whole, with noise that depends on its place (``SeededNoise``).
        """
        noise = noise or RandomNoise()
        features = self.synthesizer.features(z, noise, segments)
        if not torch.is_autocast_enabled(z.device.type):
            return self._audio(features, noise, segments)
        with torch.autocast(z.device.type, enabled=False):
            features = features._replace(values=features.values.float())
            return self._audio(features, noise, segments)

    def _audio(
        self, features: Features, noise: NoiseSource, segments: Segments | None
    ) -> dict[int, torch.Tensor]:
        """Run every head on what it needs of the trunk's features."""
        per_frame = self.synthesizer.features_per_frame
        audio = {}
        for rate, head in self.heads.items():
            values, start = cut(features, segments, per_frame, head.margin)
            samples = self.geometry.samples_per_frame(rate)
            whole = Features(head(values, noise, start), start * samples // per_frame)
            audio[rate] = cut(whole, segments, samples).values
        return audio

    def forward(
        self, audio: torch.Tensor, noise: NoiseSource | None = None
    ) -> tuple[Any, list[torch.Tensor]]:
        """Encode and decode ``[B, 1, T]``; what comes out is trimmed to the input's own length."""
        z_q, codes = self.quantizer(self.encoder(self.preprocess(audio)))
        return _official(self.trim(self.decode_latents(z_q, noise), audio.shape[-1])), codes

    @property
    def device(self) -> torch.device:
        """Where audio and codes must be."""
        return self.quantizer.levels[0].codebook.weight.device

    @property
    def synthesizer(self) -> Decoder:
        """What makes audio of latents, whatever its kind and its number of heads."""
        made: Decoder = self.decoder
        return made

    @property
    def heads(self) -> Mapping[int, Head]:
        """What makes audio of the trunk's features, under its rate in Hz."""
        return self.synthesizer.heads

    def decode_by_rate(
        self, codes: Sequence[torch.Tensor], noise: NoiseSource | None = None
    ) -> dict[int, torch.Tensor]:
        """Decode, with each output under its rate in Hz, whatever the number of heads."""
        return self.decode_latents(self.quantizer.from_codes(codes), noise)

    def trim(self, outputs: dict[int, torch.Tensor], num_samples: int) -> dict[int, torch.Tensor]:
        """Cut outputs to an utterance of ``num_samples`` samples at the codec's rate."""
        return {
            rate: audio[..., : self.geometry.samples_at(rate, num_samples)]
            for rate, audio in outputs.items()
        }

    def fold_weight_norm(self) -> Self:
        """Replace every weight norm by the weight it yields; for inference, and irreversible.

        The outputs keep their bits; only the work of computing each weight anew is saved.
        """
        for module in self.modules():
            if parametrize.is_parametrized(module, "weight"):
                parametrize.remove_parametrizations(module, "weight")
        return self

    def tokenizer_modules(self) -> tuple[nn.Module, nn.Module]:
        """Return what decides the codes, encoder and quantizer; training a decoder freezes it."""
        return self.encoder, self.quantizer

    def take_tokenizer(self, other: "SNAC") -> None:
        """Take over encoder and quantizer of another model, bit for bit.

        Raises:
            RuntimeError: if they differ in shape.
        """
        for own, others in zip(self.tokenizer_modules(), other.tokenizer_modules(), strict=True):
            own.load_state_dict(others.state_dict())


def _official(outputs: dict[int, torch.Tensor]) -> Any:
    """Return outputs as the official interface has them: audio, or a pair, lower rate first."""
    audio = tuple(outputs.values())
    return audio if len(audio) > 1 else audio[0]
