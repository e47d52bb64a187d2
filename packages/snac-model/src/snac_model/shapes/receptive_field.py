"""How far the codec's convolutions reach, by walking through its layers; free of torch."""

import math
from collections.abc import Sequence
from typing import NamedTuple

KERNEL_REACH = 3  # of the first and the last convolution, kernel 7
RESIDUAL_REACH = 3 * (1 + 3 + 9)  # of a block's residual units: kernel 7, dilations 1, 3 and 9


class Margin(NamedTuple):
    """Positions beside a segment, ``before`` its first and ``after`` its last."""

    before: int
    after: int


def decoder_margins(decoder_rates: Sequence[int]) -> list[Margin]:
    """Return what the audio of whole latent frames depends on, before and after each block.

    Walks from a frame's samples back to the latents: the final convolution, then each block's
    residual units and transposed convolution (kernel of two strides).

    Returns:
        The margin of each block's input, at that input's own rate, then that of the last block's
        output. The first convolution, before the first block, reaches ``KERNEL_REACH`` farther.
    """
    length = math.prod(decoder_rates)
    first, last = -KERNEL_REACH, length - 1 + KERNEL_REACH
    margins = [Margin(-first, last - (length - 1))]
    for stride in reversed(decoder_rates):
        first, last = first - RESIDUAL_REACH, last + RESIDUAL_REACH
        padding = math.ceil(stride / 2)
        first = math.ceil((first + padding - 2 * stride + 1) / stride)
        last = (last + padding) // stride
        length //= stride
        margins.append(Margin(-first, last - (length - 1)))
    return margins[::-1]


def decoder_reach(decoder_rates: Sequence[int]) -> Margin:
    """Latent frames that an output sample depends on, before and after its own frame.

    A frame's first sample reaches farthest back, its last one farthest ahead.
    """
    before, after = decoder_margins(decoder_rates)[0]
    return Margin(before + KERNEL_REACH, after + KERNEL_REACH)


def encoder_receptive_field(encoder_rates: Sequence[int], attention_window: int = 1) -> int:
    """Latent frames beside a piece of latents, to the farther side, that the piece depends on.

    Walks from the latents back to the audio: the final convolution, local attention, each block's
    downsampling (kernel of two strides) and residual units, and the first convolution. Attention
    depends on whole windows, so with it a piece is one of whole windows.
    """
    hop_length = math.prod(encoder_rates)
    reach = math.ceil(KERNEL_REACH / attention_window) * attention_window
    first, last = -reach, reach  # of a piece of one frame, frame 0
    for stride in reversed(encoder_rates):
        first = first * stride - math.ceil(stride / 2) - RESIDUAL_REACH
        last = last * stride - math.ceil(stride / 2) + 2 * stride - 1 + RESIDUAL_REACH
    first, last = first - KERNEL_REACH, last + KERNEL_REACH - (hop_length - 1)
    return math.ceil(max(-first, last) / hop_length)
