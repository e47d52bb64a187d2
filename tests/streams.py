"""Codes that come piece by piece."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import torch

from snac_model.codec.snac import SNAC
from snac_model.codec.streaming import StreamingDecoder


def pieces(model: SNAC, levels: list[torch.Tensor], lengths: Sequence[int]) -> list[list]:
    """Cut codes into pieces of so many coarse tokens, the last as long as what is left."""
    total = levels[0].shape[-1]
    ends = [0, *(min(end, total) for end in accumulate(lengths)), total]
    spans = [(start, end - start) for start, end in pairwise(ends)]
    return [
        [codes[:, model.geometry.token_span(level, *span)] for level, codes in enumerate(levels)]
        for span in spans
    ]


def stream(decoder: StreamingDecoder, cut: list[list]) -> dict[int, torch.Tensor]:
    """Decode pieces, and put the audio together."""
    given = [*(decoder.push(piece) for piece in cut), decoder.finish()]
    return {rate: torch.cat([audio[rate] for audio in given], -1) for rate in decoder.rates}
