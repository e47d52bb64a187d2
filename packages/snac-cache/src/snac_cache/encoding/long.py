"""Utterances that are too long to be encoded in one go: read and encoded piece by piece."""

from collections.abc import Sequence

import torch

from snac_cache.encoding.encoder import UtteranceEncoder, as_uint16, lacks_memory
from snac_cache.encoding.reading import Row, check_length, check_scale
from snac_cache.store.records import Encoded
from snac_model.audio.header import AudioError, read_header
from snac_model.audio.reading import resampled_blocks
from snac_model.codec.long_encoding import encode_by_pieces
from snac_model.shapes.geometry import Geometry
from snac_model.shapes.pieces import PiecePlan

# What is longer goes in pieces. Its own length alone decides: codes must not depend on how much
# memory a machine has, and in pieces a near tie may be decided otherwise.
WHOLE_SECONDS = 40.0  # take a processor some 1.3 GiB
PIECE_SECONDS = {"cpu": 5.0, "cuda": 60.0}
SHORTEST_PIECE_SECONDS = 5.0


def is_long(num_samples: int, geometry: Geometry) -> bool:
    """Say whether an utterance of so many samples at the codec's rate is encoded in pieces."""
    return num_samples > WHOLE_SECONDS * geometry.sample_rate


def encode_long(encoder: UtteranceEncoder, row: Row) -> Encoded | AudioError:
    """Encode an utterance of any length in memory that does not grow with it.

    What is wrong with it is returned, not raised: as ``read_utterance``, or ``too_long_for_device``
    if there is not even the memory for a short piece.
    """
    for seconds in (PIECE_SECONDS[encoder.device.type], SHORTEST_PIECE_SECONDS):
        try:
            return _encode(encoder, row, seconds)
        except (RuntimeError, MemoryError, AudioError) as error:
            if not lacks_memory(error):
                if isinstance(error, AudioError):
                    return error
                raise
        encoder.release_memory()
    detail = (
        f"there is not the memory on {encoder.device} to encode {SHORTEST_PIECE_SECONDS:.0f} s of "
        "audio at a time. Stop what else needs it, or give fewer --workers; then give --retry."
    )
    return AudioError("too_long_for_device", detail)


def _encode(encoder: UtteranceEncoder, row: Row, piece_seconds: float) -> Encoded:
    """Encode in pieces of about ``piece_seconds``."""
    geometry, path = encoder.geometry, row["audio_path"]
    header = read_header(path)
    check_length(row, header.num_frames, header.sample_rate)
    plan = PiecePlan.of(geometry, piece_seconds)

    def encode(audio: torch.Tensor, kept: slice) -> Sequence[torch.Tensor]:
        levels = [level.cpu() for level in encoder.codes(audio.to(encoder.device), kept)]
        frames = levels[-1].shape[-1] * geometry.vq_strides[-1]
        encoder.piece_done(row["utterance_id"], frames / geometry.frame_rate)
        return levels

    with torch.inference_mode():
        blocks = map(
            check_scale, resampled_blocks(path, geometry.sample_rate, geometry.sample_rate)
        )
        pieces = encode_by_pieces(plan, blocks, encode)
    num_samples = geometry.samples_from(header.sample_rate, header.num_frames)
    return Encoded(num_samples, [as_uint16(level[0]) for level in pieces])
