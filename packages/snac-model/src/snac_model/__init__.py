"""SNAC codec, its geometry, its dual head, and the ground floor of the toolkit.

Names are resolved on first use, so that importing the package never imports torch.
"""

from typing import TYPE_CHECKING

from snac_common.lazy_names import names_on_demand

if TYPE_CHECKING:
    from snac_common.errors import BadInput, Failure
    from snac_model.audio import read_mono, resample, resampled_blocks
    from snac_model.audio_header import AudioError
    from snac_model.codec import SNAC
    from snac_model.config import CodecConfig
    from snac_model.decoder import Decoder, Head
    from snac_model.dual_head import DualHeadSNAC, double_rate
    from snac_model.geometry import Geometry
    from snac_model.loading import load, untrained
    from snac_model.losses import MultiScaleSTFTLoss, ReconstructionLoss
    from snac_model.noise import RandomNoise, SeededNoise, no_noise
    from snac_model.pieces import PiecePlan
    from snac_model.segments import Segments
    from snac_model.streaming import StreamingDecoder
    from snac_model.token_audio import decode_tokens
    from snac_model.token_text import TokenReader, read_tokens
    from snac_model.tokens import ORPHEUS, TokenLayout, token_layout
    from snac_model.weights import save

_HOMES = {
    "ORPHEUS": "snac_model.tokens",
    "SNAC": "snac_model.codec",
    "AudioError": "snac_model.audio_header",
    "BadInput": "snac_common.errors",
    "CodecConfig": "snac_model.config",
    "Decoder": "snac_model.decoder",
    "DualHeadSNAC": "snac_model.dual_head",
    "Failure": "snac_common.errors",
    "Geometry": "snac_model.geometry",
    "Head": "snac_model.decoder",
    "MultiScaleSTFTLoss": "snac_model.losses",
    "PiecePlan": "snac_model.pieces",
    "RandomNoise": "snac_model.noise",
    "ReconstructionLoss": "snac_model.losses",
    "SeededNoise": "snac_model.noise",
    "Segments": "snac_model.segments",
    "StreamingDecoder": "snac_model.streaming",
    "TokenLayout": "snac_model.tokens",
    "TokenReader": "snac_model.token_text",
    "decode_tokens": "snac_model.token_audio",
    "double_rate": "snac_model.dual_head",
    "load": "snac_model.loading",
    "no_noise": "snac_model.noise",
    "read_mono": "snac_model.audio",
    "read_tokens": "snac_model.token_text",
    "resample": "snac_model.audio",
    "resampled_blocks": "snac_model.audio",
    "save": "snac_model.weights",
    "token_layout": "snac_model.tokens",
    "untrained": "snac_model.loading",
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
