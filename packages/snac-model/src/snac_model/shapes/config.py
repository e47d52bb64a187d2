"""The codec's configuration: the official package's fields, plus the second head."""

import difflib
import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from snac_common.errors import Failure
from snac_model.shapes.config_check import check_config, check_size


@dataclass(frozen=True)
class CodecConfig:
    """Architecture of a SNAC model, with the official class's names and defaults.

    ``dual_head`` says that a 2x head follows the decoder's trunk, beside the usual one. It is
    left out of ``config.json`` when false, so that the official package can read the file.

    ``decoder`` names a decoder other than SNAC's own by its ``kind``, with settings of its own
    beside that. It is left out where there is none.
    """

    sampling_rate: int = 44100
    encoder_dim: int = 64
    encoder_rates: tuple[int, ...] = (3, 3, 7, 7)
    latent_dim: int | None = None
    decoder_dim: int = 1536
    decoder_rates: tuple[int, ...] = (7, 7, 3, 3)
    attn_window_size: int | None = 32
    codebook_size: int = 4096
    codebook_dim: int = 8
    vq_strides: tuple[int, ...] = (8, 4, 2, 1)
    noise: bool = True
    depthwise: bool = True
    dual_head: bool = False
    decoder: dict[str, Any] | None = None

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build from the content of a ``config.json``.

        Raises:
            Failure: on an unknown field, or a value that no codec has.
        """
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise Failure(f"unknown field {name!r} in the model's config.json{hint}")
        check_config(values)
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        config = cls(**{**values, **lists})
        config.check_size()
        return config

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a ``config.json``; raises Failure if it is not one."""
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Failure(f"cannot read the model's configuration {path}: {error}") from error
        if not isinstance(values, dict):
            raise Failure(f"{path} does not hold a model's configuration (a JSON object)")
        try:
            return cls.from_dict(values)
        except Failure as error:
            raise Failure(f"{path}: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``config.json``."""
        values = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }
        if not self.dual_head:
            del values["dual_head"]
        if self.decoder is None:
            del values["decoder"]
        return values

    def check_size(self) -> None:
        """Raise Failure if no machine could build or run such a codec."""
        hop_length, upsampling = math.prod(self.encoder_rates), math.prod(self.decoder_rates)
        blocks = len(self.decoder_rates)
        check_size(
            encoder=(self.encoder_dim, self.encoder_rates),
            decoder=(math.ceil(self.decoder_dim / 2**blocks), self.decoder_rates[::-1]),
            latent=self.latent_channels,
            codebooks=len(self.vq_strides) * self.codebook_size * self.codebook_dim,
            unit=hop_length * math.lcm(self.vq_strides[0], self.attn_window_size or 1),
            output_rate=self.sampling_rate * upsampling / hop_length,
        )

    @property
    def decoder_kind(self) -> str:
        """What the decoder is: ``snac`` unless the configuration names another."""
        return self.decoder["kind"] if self.decoder else "snac"

    @property
    def latent_channels(self) -> int:
        """Channels between encoder and decoder: the encoder doubles them at each stride."""
        return self.latent_dim or self.encoder_dim * 2 ** len(self.encoder_rates)


SNAC_24KHZ = CodecConfig(
    sampling_rate=24_000,
    encoder_dim=48,
    encoder_rates=(2, 4, 8, 8),
    decoder_dim=1024,
    decoder_rates=(8, 8, 4, 2),
    attn_window_size=None,
    vq_strides=(4, 2, 1),
)
"""The published 24 kHz model, ``hubertsiuzdak/snac_24khz``."""
