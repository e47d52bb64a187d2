"""Ways in which a codec spoils speech, for metrics that must see them; and what they spoil."""

from collections.abc import Callable

import torch
from syllables import syllables

Signal = torch.Tensor


def breathy(seconds: float, rate: int, seed: int = 0) -> Signal:
    """Syllables with noise that comes and goes with them, up to half of the rate."""
    tones = torch.from_numpy(syllables(seconds, rate, seed))
    generator = torch.Generator().manual_seed(seed)
    return tones * (1 + torch.randn(len(tones), generator=generator))


def low_passed(audio: Signal, rate: int) -> Signal:
    """Cut off at an eighth of the rate."""
    spectrum = torch.fft.rfft(audio)
    spectrum[len(spectrum) // 4 :] = 0
    return torch.fft.irfft(spectrum, n=len(audio))


def noisy(audio: Signal, rate: int) -> Signal:
    """Add white noise 15 dB under the signal."""
    noise = torch.randn(len(audio), generator=torch.Generator().manual_seed(0))
    return audio + noise * audio.square().mean().sqrt() * 10 ** (-15 / 20)


def smeared(audio: Signal, rate: int) -> Signal:
    """Average the short-time magnitudes over 0.1 s, and keep the phases."""
    size = 512 if rate < 36000 else 1024
    window = torch.hann_window(size)
    spectrum = torch.stft(audio, size, size // 4, window=window, return_complex=True)
    span = 2 * round(0.05 * rate / (size // 4)) + 1
    level = torch.nn.functional.avg_pool1d(
        spectrum.abs()[None], span, 1, span // 2, count_include_pad=False
    )[0]
    smooth = torch.polar(level, spectrum.angle())
    return torch.istft(smooth, size, size // 4, window=window, length=len(audio))


def buzzing(audio: Signal, rate: int) -> Signal:
    """Add a hum of a hundred hertz and all its harmonics, 15 dB under the signal."""
    hum = torch.zeros(len(audio))
    hum[:: rate // 100] = 1
    return audio + hum * (audio.square().mean() / hum.square().mean()).sqrt() * 10 ** (-15 / 20)


WAYS: dict[str, Callable[[Signal, int], Signal]] = {
    "low-pass": low_passed,
    "noise": noisy,
    "smearing": smeared,
    "buzz": buzzing,
}
