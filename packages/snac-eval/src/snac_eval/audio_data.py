"""Audio inside a page."""

import base64
import io

import soundfile

from snac_eval.samples import Signal


def audio_uri(signal: Signal) -> str:
    """Return a signal as a data URI of 16-bit FLAC, which every browser plays.

    Samples that are not finite, which no format can hold, are silent.
    """
    audio = signal.audio.nan_to_num(0.0, 0.0, 0.0).numpy()
    buffer = io.BytesIO()
    soundfile.write(buffer, audio, signal.rate, format="FLAC", subtype="PCM_16")
    return "data:audio/flac;base64," + base64.b64encode(buffer.getvalue()).decode()
