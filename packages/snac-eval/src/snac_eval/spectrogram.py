"""Spectrograms of signals of different rates, on one scale of time, frequency and level."""

import math

import numpy as np
import torch

from snac_eval.samples import Signal

WINDOW_S = 1024 / 48000
MAX_COLUMNS = 400
FLOOR = 1e-7


def spectrogram_db(signal: Signal) -> np.ndarray:
    """Return levels in dB of a full-scale sine, ``[frequencies, columns]``, lowest first.

    Windows last 21 ms at every rate, so that equal sounds are equally bright. There are at most
    about 400 columns however long the signal is.
    """
    size = 2 * round(signal.rate * WINDOW_S / 2)
    hop = max(size // 4, math.ceil(len(signal.audio) / MAX_COLUMNS))
    window = torch.hann_window(size)
    spectrum = torch.stft(
        signal.audio, size, hop, window=window, pad_mode="constant", return_complex=True
    )
    amplitude = spectrum.abs() / (window.sum() / 2)
    return (20 * amplitude.clamp_min(FLOOR).log10()).numpy()
