"""A sharp windowed sinc, applied so that a sample's bits depend on the audio alone.

How a convolution is computed depends on its length: short ones go another way than long ones, and
differ in the last bit. On a CPU all audio is therefore resampled in pieces of one length, the last
one filled up with silence. A file read by blocks then gives the very bits of the file read whole.

The kernel, which torchaudio makes, gives the few samples of one shortest time that is whole samples
at both rates. One that gives many such times at once is a product of matrices, and 5 to 10 times
faster: with 64 zero crossings it costs what 6 do otherwise.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torchaudio.transforms import Resample

from snac_model.audio.sinc_kernel import KAISER_BETA, ROLLOFF, ZERO_CROSSINGS, lowest_terms

PIECE_SAMPLES = 2**15  # at the native rate; torch computes with oneDNN from some 20,000 on
STEP_SAMPLES = 64  # at the native rate, at least, that the kernel moves on by; fastest on CPUs


class SincResampler:
    """Resamples between two different rates, on one device.

    Attributes:
        step: samples at the native rate that the kernel moves on by.
        width: samples at the native rate that the kernel reaches to each side.
        advance: samples at the native rate from one piece to the next.
        window: samples at the native rate that a piece is made of: ``width`` before its first one,
            and what its last ones reach.
        piece: samples at the wanted rate in a piece.
    """

    def __init__(self, from_rate: int, to_rate: int, device: torch.device) -> None:
        native, wanted = lowest_terms(from_rate, to_rate)
        times = -(-STEP_SAMPLES // native)
        with torch.inference_mode(False):  # kept for later calls too, with gradients or without
            made = Resample(
                from_rate,
                to_rate,
                resampling_method="sinc_interp_kaiser",
                lowpass_filter_width=ZERO_CROSSINGS,
                rolloff=ROLLOFF,
                beta=KAISER_BETA,
            )
            self.kernel = _repeated(made.kernel, times, native).to(device)  # [wanted, 1, taps]
        self.width: int = made.width
        self.step = times * native
        steps = max(1, PIECE_SAMPLES // self.step)
        self.advance, self.piece = steps * self.step, steps * times * wanted
        self.window = self.advance - self.step + self.kernel.shape[-1]

    def apply(self, samples: torch.Tensor) -> torch.Tensor:
        """Resample ``[B, T]``, of which the first and last ``width`` samples are context."""
        resampled = F.conv1d(samples[:, None], self.kernel, stride=self.step)
        return resampled.transpose(1, 2).flatten(1)

    def whole(self, audio: torch.Tensor, length: int) -> torch.Tensor:
        """Resample ``[B, T]`` to ``[B, length]``."""
        pieces = max(1, -(-length // self.piece))
        end = (pieces - 1) * self.advance + self.window
        padded = F.pad(audio, (self.width, end - self.width - audio.shape[-1]))
        if audio.device.type != "cpu":
            return self.apply(padded)[:, :length]
        rows = [self._by_pieces(row, pieces) for row in padded]
        return torch.stack(rows)[:, :length]

    def _by_pieces(self, padded: torch.Tensor, pieces: int) -> torch.Tensor:
        starts = range(0, pieces * self.advance, self.advance)
        return torch.cat([self.apply(padded[None, at : at + self.window])[0] for at in starts])


def _repeated(kernel: torch.Tensor, times: int, native: int) -> torch.Tensor:
    """Return the kernel ``[wanted, 1, taps]`` of ``times`` steps of ``native`` samples, as one."""
    wanted, _, taps = kernel.shape
    repeated = kernel.new_zeros(times, wanted, taps + (times - 1) * native)
    for number in range(times):
        repeated[number, :, number * native : number * native + taps] = kernel[:, 0]
    return repeated.flatten(0, 1)[:, None]


@lru_cache(maxsize=64)
def sinc_resampler(from_rate: int, to_rate: int, device: torch.device) -> SincResampler:
    """Return the resampler of two different rates, made once."""
    return SincResampler(from_rate, to_rate, device)
