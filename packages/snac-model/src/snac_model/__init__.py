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
    from snac_model.noise import RandomNoise, SeededNoise, no_noise
    from snac_model.weights import load, save

_HOMES = {
    "SNAC": "codec",
    "CodecConfig": "config",
    "DualHeadSNAC": "dual_head",
    "Geometry": "geometry",
    "RandomNoise": "noise",
    "SeededNoise": "noise",
    "no_noise": "noise",
    "load": "weights",
    "save": "weights",
}

__all__ = [
    "SNAC",
    "CodecConfig",
    "DualHeadSNAC",
    "Geometry",
    "RandomNoise",
    "SeededNoise",
    "load",
    "no_noise",
    "save",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'snac_model' has no attribute {name!r}")
    return getattr(import_module(f"snac_model.{_HOMES[name]}"), name)
