"""Spectrograms of signals of different rates, on one scale of time, frequency and level."""

import io
import math
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.image import imsave

from snac_eval.measuring.samples import Signal

WINDOW_S = 1024 / 48000
MAX_COLUMNS = 400
FLOOR = 1e-7
COLOURS = "magma"
RANGE_DB = 80.0
WEBP: Any = {"quality": 70, "method": 6}


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


def spectrogram_image(levels: np.ndarray, rate: int, top_rate: int, loudest: float) -> bytes:
    """Draw levels ``[frequencies, columns]`` in dB as a WebP image of some ten kilobytes.

    Args:
        levels: what ``spectrogram_db`` returns.
        rate: of the signal, in Hz.
        top_rate: highest rate among the signals that it is compared with, in Hz: the image's top is
            half of it, and what the signal cannot have is black.
        loudest: level that is drawn brightest; 80 dB below it is drawn darkest.
    """
    pairs = levels[: len(levels) // 2 * 2].reshape(-1, 2, levels.shape[1]).max(1)
    rows = round(len(pairs) * top_rate / rate)
    drawn = np.full((rows, levels.shape[1]), -np.inf)
    drawn[: len(pairs)] = pairs
    share = np.clip((drawn - loudest) / RANGE_DB + 1, 0, 1)[::-1]
    pixels = (255 * colormaps[COLOURS](share)[..., :3]).round().astype(np.uint8)
    image = io.BytesIO()
    imsave(image, pixels, format="webp", pil_kwargs=WEBP)
    return image.getvalue()
