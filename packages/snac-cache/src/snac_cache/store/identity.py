"""What a cache was made with: enough to say whether codes belong to a model."""

import json
from dataclasses import asdict, dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from snac_cache.schema import SCHEMA_VERSION
from snac_common.errors import Failure
from snac_model.shapes.config import CodecConfig
from snac_model.shapes.geometry import Geometry

if TYPE_CHECKING:
    from snac_model.codec.snac import SNAC

KEY_PREFIX = "snac."


# fields of a model's configuration that no code depends on
_OF_THE_DECODER = {"decoder", "decoder_dim", "decoder_rates", "dual_head", "noise"}


def of_codes(value: Any) -> Any:
    """Return a part of a cache's identity, of a configuration what decides codes alone."""
    if not isinstance(value, dict):
        return value
    return {name: field for name, field in value.items() if name not in _OF_THE_DECODER}


@dataclass(frozen=True)
class CacheIdentity:
    """Carried by ``cache.json`` and by the key-value metadata of every part.

    Attributes:
        model: the name that the model was given by.
        weights_sha256: hash of all its weights.
        tokenizer_sha256: hash of encoder and quantizer, which alone decide the codes.
        config: the codec's ``config.json``.
        geometry: what ``config`` implies, spelt out for readers without our code.
        precision: arithmetic of the encoder.
        versions: of the libraries that made the codes.
        schema_version: of the columns, and of the resampler.
    """

    model: str
    weights_sha256: str
    tokenizer_sha256: str
    config: dict[str, Any]
    geometry: dict[str, Any]
    precision: str
    versions: dict[str, str]
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def of(cls, model: "SNAC", name: str, precision: str) -> Self:
        """Describe a cache that ``model`` is about to make."""
        from snac_model.codec.weights import weights_sha256

        return cls(
            model=name,
            weights_sha256=weights_sha256([model]),
            tokenizer_sha256=weights_sha256(model.tokenizer_modules()),
            config=model.config.to_dict(),
            geometry=asdict(model.geometry),
            precision=precision,
            versions={
                library: import_module(library).__version__
                for library in ("torch", "torchaudio", "soundfile", "pyarrow")
            },
        )

    def differences(self, other: "CacheIdentity") -> list[str]:
        """Say in what two caches' codes cannot be mixed; names and versions may differ."""
        return [
            f"{name}: {mine} and {others}"
            for name in ("tokenizer_sha256", "config", "precision", "schema_version")
            if (mine := of_codes(getattr(self, name))) != (others := of_codes(getattr(other, name)))
        ]

    def check_version(self, place: Path) -> None:
        """Raise Failure if codes in ``place`` have other columns than this program reads."""
        if self.schema_version != SCHEMA_VERSION:
            raise Failure(
                f"{place} is of schema version {self.schema_version}, and this program reads "
                f"version {SCHEMA_VERSION}. Run snac-cache --overwrite, which encodes anew."
            )

    def codec_geometry(self) -> Geometry:
        """Return the geometry that the codes have."""
        return Geometry.of(CodecConfig.from_dict(self.config))

    def to_metadata(self) -> dict[str, str]:
        """Return parquet key-value metadata, each value a JSON document."""
        return {
            KEY_PREFIX + name: json.dumps(value, sort_keys=True)
            for name, value in asdict(self).items()
        }

    @classmethod
    def metadata_keys(cls) -> list[bytes]:
        """Return the keys that ``to_metadata`` gives."""
        return [(KEY_PREFIX + field.name).encode() for field in fields(cls)]

    @classmethod
    def from_metadata(cls, metadata: dict[bytes, bytes]) -> Self:
        """Read what ``to_metadata`` wrote; raises KeyError where a key is missing."""
        return cls(*(json.loads(metadata[key]) for key in cls.metadata_keys()))
