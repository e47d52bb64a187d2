"""SNAC codec, its geometry, its dual head, and the ground floor of the toolkit.

Names are resolved on first use, so that importing the package never imports torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snac_model.codec import SNAC
    from snac_model.config import CodecConfig
    from snac_model.dual_head import DualHeadSNAC
    from snac_model.geometry import Geometry
    from snac_model.loading import load
    from snac_model.noise import RandomNoise, SeededNoise, no_noise
    from snac_model.streaming import StreamingDecoder
    from snac_model.token_audio import decode_tokens
    from snac_model.token_text import read_tokens
    from snac_model.tokens import ORPHEUS, TokenLayout
    from snac_model.weights import save

_HOMES = {
    "ORPHEUS": "tokens",
    "SNAC": "codec",
    "CodecConfig": "config",
    "DualHeadSNAC": "dual_head",
    "Geometry": "geometry",
    "RandomNoise": "noise",
    "SeededNoise": "noise",
    "StreamingDecoder": "streaming",
    "TokenLayout": "tokens",
    "decode_tokens": "token_audio",
    "no_noise": "noise",
    "read_tokens": "token_text",
    "load": "loading",
    "save": "weights",
}

__all__ = [
    "ORPHEUS",
    "SNAC",
    "CodecConfig",
    "DualHeadSNAC",
    "Geometry",
    "RandomNoise",
    "SeededNoise",
    "StreamingDecoder",
    "TokenLayout",
    "decode_tokens",
    "load",
    "no_noise",
    "read_tokens",
    "save",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'snac_model' has no attribute {name!r}")
    return getattr(import_module(f"snac_model.{_HOMES[name]}"), name)
