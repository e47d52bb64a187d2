"""How far the codec's convolutions reach, by walking through its layers; free of torch."""

import math
from collections.abc import Sequence

KERNEL_REACH = 3  # of the first and the last convolution, kernel 7
RESIDUAL_REACH = 3 * (1 + 3 + 9)  # of a block's residual units: kernel 7, dilations 1, 3 and 9


def decoder_receptive_field(decoder_rates: Sequence[int]) -> int:
    """Latent frames that an output sample depends on, to the farther side of its own frame.

    Walks from an output sample back to the latents: the final convolution, each block's residual
    units and transposed convolution (kernel of two strides), and the first convolution. The
    sample's place in its frame decides the side, so all places are tried.
    """
    total = math.prod(decoder_rates)
    reach = 0
    for sample in range(total):
        first, last = sample - KERNEL_REACH, sample + KERNEL_REACH
        for stride in reversed(decoder_rates):
            first, last = first - RESIDUAL_REACH, last + RESIDUAL_REACH
            padding = math.ceil(stride / 2)
            first = math.ceil((first + padding - 2 * stride + 1) / stride)
            last = (last + padding) // stride
        reach = max(reach, KERNEL_REACH - first, last + KERNEL_REACH)
    return reach


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
