"""Speech-like audio: syllables at moments and pitches of their own, so that lags can be told."""

from pathlib import Path

import numpy as np
import soundfile


def syllables(seconds: float, rate: int, seed: int = 0) -> np.ndarray:
    """Return float32 ``[T]``; the same seed gives the same sounds at every rate above 8 kHz."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    audio = 1e-4 * np.random.default_rng(1).standard_normal(len(time))
    for _ in range(int(6 * seconds)):
        start, length = random.uniform(0, seconds - 0.2), random.uniform(0.06, 0.2)
        here = slice(*np.searchsorted(time, [start, start + length]))
        envelope = np.sin(np.pi * (time[here] - start) / length) ** 2
        tones = [np.sin(2 * np.pi * f * time[here]) for f in random.uniform(300, 3300, size=3)]
        audio[here] += 0.1 * envelope * sum(tones)
    return audio.astype(np.float32)


def write_syllables(path: Path, seconds: float, rate: int, seed: int = 0) -> None:
    """Write them as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, syllables(seconds, rate, seed), rate)
