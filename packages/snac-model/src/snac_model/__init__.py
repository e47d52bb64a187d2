"""SNAC codec, its geometry, its dual head, and the ground floor of the toolkit.

Names are resolved on first use, so that importing the package never imports torch.
"""

from typing import TYPE_CHECKING

from snac_common.lazy_names import names_on_demand

if TYPE_CHECKING:
    from snac_common.errors import BadInput, Failure
    from snac_model.audio.header import AudioError
    from snac_model.audio.reading import read_mono, resample, resampled_blocks
    from snac_model.codec.dual_head import DualHeadSNAC, double_rate
    from snac_model.codec.loading import load, untrained
    from snac_model.codec.snac import SNAC
    from snac_model.codec.streaming import StreamingDecoder
    from snac_model.codec.weights import save
    from snac_model.decoders.protocol import Decoder, Head
    from snac_model.layers.noise import RandomNoise, SeededNoise, no_noise
    from snac_model.layers.segments import Segments
    from snac_model.losses.reconstruction import MultiScaleSTFTLoss, ReconstructionLoss
    from snac_model.shapes.config import CodecConfig
    from snac_model.shapes.geometry import Geometry
    from snac_model.shapes.pieces import PiecePlan
    from snac_model.tokens.audio import decode_tokens
    from snac_model.tokens.layout import ORPHEUS, TokenLayout, token_layout
    from snac_model.tokens.text import TokenReader, read_tokens

_HOMES = {
    "ORPHEUS": "snac_model.tokens.layout",
    "SNAC": "snac_model.codec.snac",
    "AudioError": "snac_model.audio.header",
    "BadInput": "snac_common.errors",
    "CodecConfig": "snac_model.shapes.config",
    "Decoder": "snac_model.decoders.protocol",
    "DualHeadSNAC": "snac_model.codec.dual_head",
    "Failure": "snac_common.errors",
    "Geometry": "snac_model.shapes.geometry",
    "Head": "snac_model.decoders.protocol",
    "MultiScaleSTFTLoss": "snac_model.losses.reconstruction",
    "PiecePlan": "snac_model.shapes.pieces",
    "RandomNoise": "snac_model.layers.noise",
    "ReconstructionLoss": "snac_model.losses.reconstruction",
    "SeededNoise": "snac_model.layers.noise",
    "Segments": "snac_model.layers.segments",
    "StreamingDecoder": "snac_model.codec.streaming",
    "TokenLayout": "snac_model.tokens.layout",
    "TokenReader": "snac_model.tokens.text",
    "decode_tokens": "snac_model.tokens.audio",
    "double_rate": "snac_model.codec.dual_head",
    "load": "snac_model.codec.loading",
    "no_noise": "snac_model.layers.noise",
    "read_mono": "snac_model.audio.reading",
    "read_tokens": "snac_model.tokens.text",
    "resample": "snac_model.audio.reading",
    "resampled_blocks": "snac_model.audio.reading",
    "save": "snac_model.codec.weights",
    "token_layout": "snac_model.tokens.layout",
    "untrained": "snac_model.codec.loading",
}

__all__ = [
    "ORPHEUS",
    "SNAC",
    "AudioError",
    "BadInput",
    "CodecConfig",
    "Decoder",
    "DualHeadSNAC",
    "Failure",
    "Geometry",
    "Head",
    "MultiScaleSTFTLoss",
    "PiecePlan",
    "RandomNoise",
    "ReconstructionLoss",
    "SeededNoise",
    "Segments",
    "StreamingDecoder",
    "TokenLayout",
    "TokenReader",
    "decode_tokens",
    "double_rate",
    "load",
    "no_noise",
    "read_mono",
    "read_tokens",
    "resample",
    "resampled_blocks",
    "save",
    "token_layout",
    "untrained",
]

__getattr__ = names_on_demand(__name__, _HOMES)
