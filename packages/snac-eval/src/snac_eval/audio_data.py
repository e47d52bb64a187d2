"""Audio inside a page."""

import base64
import io

import soundfile

from snac_eval.samples import Signal


def audio_uri(signal: Signal) -> str:
    """Return a signal as a data URI of 16-bit FLAC, which every browser plays."""
    buffer = io.BytesIO()
    soundfile.write(buffer, signal.audio.numpy(), signal.rate, format="FLAC", subtype="PCM_16")
    return "data:audio/flac;base64," + base64.b64encode(buffer.getvalue()).decode()
