"""What says with which codec a cache was made: ``cache.json``, or else a part.

Neither is believed: what makes no sense is a problem to report, whatever types it has.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from snac_cache.checks.footers import IDENTITY
from snac_cache.store.description import NAME
from snac_cache.store.identity import CacheIdentity
from snac_common.errors import Failure
from snac_model.shapes.config import CodecConfig


def read_described(path: Path) -> tuple[dict[str, Any], str | None]:
    """Read ``cache.json``, its identity as the same JSON text that parts carry.

    Returns:
        What it says, and None; or nothing, and why it cannot be used.
    """
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        agreement = _share(read.get("token_agreement"))
        described = {"token_agreement": agreement, **identity_texts(read)}
        _identity(described)
    except FileNotFoundError:
        return {}, f"there is no {NAME}"
    except KeyError as error:
        return {}, f"it lacks {error}"
    except (OSError, ValueError, AttributeError) as error:
        return {}, f"it cannot be read: {error}"
    return described, None


def _share(agreement: Any) -> float | None:
    if agreement is None or (isinstance(agreement, float | int) and 0 <= agreement <= 1):
        return agreement
    raise ValueError(f"token_agreement is {agreement!r}")


def identity_texts(values: dict[str, Any]) -> dict[str, str]:
    """Return the fields of an identity as the JSON text that parts carry; raises KeyError."""
    return {name: json.dumps(values[name], sort_keys=True) for name in IDENTITY}


def first_identity(
    codes: Path, described: Iterable[dict[str, Any]]
) -> tuple[CacheIdentity, pa.Table]:
    """Return what a cache was made with, and its levels, from the first that says so.

    Args:
        described: dictionaries with the fields of an identity as JSON texts.

    Raises:
        Failure: if none does, or the cache is of another schema version.
    """
    for values in described:
        if all(values.get(name) for name in IDENTITY):
            try:
                identity, levels = _identity(values)
            except ValueError:
                continue
            identity.check_version(codes)
            return identity, levels
    raise Failure(f"neither {codes / NAME} nor any part says which codec made the codes")


def _identity(values: dict[str, Any]) -> tuple[CacheIdentity, pa.Table]:
    """Return an identity and its levels; raises ValueError if the texts make no sense."""
    try:
        identity = CacheIdentity(**{name: json.loads(values[name]) for name in IDENTITY})
        return identity, _levels_table(identity)
    except (Failure, ArithmeticError, AttributeError, LookupError, TypeError) as error:
        raise ValueError(f"it does not describe a codec: {error}") from error


def _levels_table(identity: CacheIdentity) -> pa.Table:
    geometry = identity.codec_geometry()
    # raises TypeError or ValueError unless they are whole numbers
    pa.array([geometry.sample_rate, geometry.hop_length, geometry.attention_window], pa.int64())
    size = CodecConfig.from_dict(identity.config).codebook_size
    return pa.table(
        {
            "level": pa.array(range(geometry.levels), pa.int32()),
            "stride": pa.array(geometry.vq_strides, pa.int64()),
            "tokens_per_coarse": pa.array(geometry.tokens_per_coarse, pa.int64()),
            "tokens_per_second": [geometry.frame_rate / s for s in geometry.vq_strides],
            "codebook_size": pa.array([size] * geometry.levels, pa.int64()),
            "padding_samples": pa.array([geometry.padded_samples(1)] * geometry.levels, pa.int64()),
            "padding_tokens": pa.array(geometry.encoded_tokens(1), pa.int64()),
        }
    )
