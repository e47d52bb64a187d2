"""Metrics that stand for listeners, from libraries of the extras of ``snac-eval``.

Each is imported when it is first asked for, is given what its standard wants, and says why where
it has no value.
"""

import importlib.resources
import importlib.util
import math
import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from snac_common.errors import Failure
from snac_eval.metrics.pairs import Measure, NoValue, Pair

SPEECH_RATE = 16000
PLCMOS_HOP = 256
DNSMOS_SAMPLES = 144160  # what its network takes: 9.01 s
# From the network's outputs to opinion scores, in the order of the outputs: speech, background,
# overall. Reddy et al., "DNSMOS P.835" (2022).
DNSMOS_SCALES = {
    "dnsmos_speech": (-0.08397278, 1.22083953, 0.0052439),
    "dnsmos_background": (-0.13166888, 1.60915514, -0.39604546),
    "dnsmos": (-0.06766283, 1.11546468, 0.04602535),
}


def pesq(pair: Pair) -> dict[str, float]:
    """Perceptual evaluation of speech quality, wide band: ITU-T P.862.2, 1 to 4.64."""
    from pesq import PesqError
    from pesq import pesq as score

    reference, output = _arrays(pair, SPEECH_RATE)
    try:
        return {"pesq": score(SPEECH_RATE, reference, output, "wb")}
    except (PesqError, ValueError) as error:
        raise NoValue(f"PESQ: {_said(error)}") from error


def stoi(pair: Pair) -> dict[str, float]:
    """Short-time objective intelligibility: Taal et al. (2011), up to 1."""
    from pystoi import stoi as score

    reference, output = _arrays(pair, SPEECH_RATE)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # it warns, and returns 1e-5
        try:
            return {"stoi": float(score(reference, output, SPEECH_RATE))}
        except RuntimeWarning as warning:
            raise NoValue("STOI: less than 0.4 s of speech") from warning


def visqol_speech(pair: Pair) -> dict[str, float]:
    """ViSQOL in speech mode, with the polynomial mapping: Chinen et al. (2020), 1 to 5."""
    return {"visqol_speech": _visqol("speech", pair, SPEECH_RATE)}


def visqol_audio(pair: Pair) -> dict[str, float]:
    """ViSQOL in audio mode, on 48 kHz: Chinen et al. (2020), 1 to 4.73."""
    return {"visqol_audio": _visqol("audio", pair, 48000)}


def dnsmos(pair: Pair) -> dict[str, float]:
    """Opinion scores of the output alone: DNSMOS P.835, Reddy et al. (2022), 1 to 5.

    Short audio is repeated, and long audio judged in steps of a second, as speechmos does it.
    """
    _, output = _arrays(pair, SPEECH_RATE)
    output = output / max(np.abs(output).max(), 1.0)  # resampling may overshoot full scale
    while len(output) < DNSMOS_SAMPLES:
        output = np.tile(output, 2)
    whole_seconds = len(output) // SPEECH_RATE
    steps = int(whole_seconds - DNSMOS_SAMPLES / SPEECH_RATE) + 1
    starts = range(0, steps * SPEECH_RATE, SPEECH_RATE)
    network = _network("dnsmos_models/sig_bak_ovr.onnx")
    pieces = [output[None, start : start + DNSMOS_SAMPLES] for start in starts]
    raw = np.array([network.run(None, {"input_1": piece})[0][0] for piece in pieces])
    return {
        name: float(np.polyval(scale, raw[:, number]).mean())
        for number, (name, scale) in enumerate(DNSMOS_SCALES.items())
    }


def plcmos(pair: Pair) -> dict[str, float]:
    """Opinion score of the output alone, for packet loss concealment: PLCMOS v2, 1 to 5.

    Diener et al., "PLCMOS - a data-driven non-intrusive metric for the evaluation of packet loss
    concealment algorithms" (2023). Features as in speechmos: log power of windows of 512 samples,
    half overlapping, that begin before the audio. Each listener of its 15 is a normally distributed
    vector; speechmos draws them anew for every call, here they are always the same.
    """
    _, output = _arrays(pair, SPEECH_RATE)
    output = output / max(np.abs(output).max(), 1.0)
    frames = math.ceil((len(output) + PLCMOS_HOP) / PLCMOS_HOP)
    padded = np.zeros((frames + 1) * PLCMOS_HOP)
    padded[PLCMOS_HOP : PLCMOS_HOP + len(output)] = output
    window = np.hamming(2 * PLCMOS_HOP + 1)[:-1]
    framed = np.lib.stride_tricks.sliding_window_view(padded, 2 * PLCMOS_HOP)[::PLCMOS_HOP]
    features = _log_power(np.abs(np.fft.rfft(framed * window))).astype(np.float32) / 20
    listeners = np.random.default_rng(0).standard_normal((15, 1, 64)).astype(np.float32)
    network = _network("plcmos_models/plcmos_v2.onnx")
    scores = [
        network.run(None, {"degraded_audio": features[None, None], "rater_embed": listener})[0]
        for listener in listeners
    ]
    return {"plcmos": float(np.mean(scores))}


def _log_power(amplitude: np.ndarray) -> np.ndarray:
    """Return the logarithm of the squares, with nothing 120 dB under the least that there is."""
    power = np.square(amplitude)
    least = power[power > 0].min()
    levels: np.ndarray = np.log(np.where(power > 0, power, least * 1e-12))
    return levels


METRICS = {
    "pesq": Measure(("pesq",), pesq),
    "stoi": Measure(("stoi",), stoi),
    "visqol_speech": Measure(("visqol_speech",), visqol_speech),
    "visqol_audio": Measure(("visqol_audio",), visqol_audio),
    "dnsmos": Measure(tuple(DNSMOS_SCALES), dnsmos),
    "plcmos": Measure(("plcmos",), plcmos),
}
LIBRARIES = {
    "pesq": ("pesq",),
    "stoi": ("pystoi",),
    "visqol_speech": ("visqol",),
    "visqol_audio": ("visqol",),
    "dnsmos": ("onnxruntime", "speechmos"),
    "plcmos": ("onnxruntime", "speechmos"),
}
COMPILED = ("pesq", "visqol")  # libraries with an extra of their own, as they need a compiler


def require_libraries(metrics: Sequence[str]) -> None:
    """Raise Failure if a library that one of the metrics needs is not installed."""
    needed = dict.fromkeys(library for name in metrics for library in LIBRARIES[name])
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        extras = dict.fromkeys(name if name in COMPILED else "perceptual" for name in missing)
        raise Failure(
            f"--perceptual {' '.join(metrics)} needs {', '.join(missing)}: install "
            f"snac-eval[{','.join(extras)}] (in a checkout: uv sync --group perceptual; PESQ and "
            "ViSQOL need a C++ compiler)."
        )


def _arrays(pair: Pair, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Return reference and output at ``rate``, float32 ``[T]``; NoValue where one is silent."""
    pair.require_sound()
    there = pair.at(rate)
    return there.reference.cpu().numpy(), there.output.cpu().numpy()


def _visqol(mode: str, pair: Pair, rate: int) -> float:
    reference, output = (audio.astype(np.float64) for audio in _arrays(pair, rate))
    try:
        return float(_visqol_api(mode).measure_from_arrays(reference, output, rate).moslqo)
    except (IndexError, ValueError) as error:
        raise NoValue("ViSQOL: too short, or no speech found") from error


@cache
def _visqol_api(mode: str) -> Any:
    from visqol import VisqolApi

    api = VisqolApi()
    # The other mapping of speech needs TensorFlow's runtime, and the result must not depend on
    # whether that is installed.
    api.create(mode=mode, use_lattice_model=False)
    return api


@cache
def _network(name: str) -> Any:
    """Load a network that speechmos brings, to run in one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = importlib.resources.files("speechmos") / name
    return onnxruntime.InferenceSession(model.read_bytes(), options)


def _said(error: Exception) -> str:
    """Return an error's text; the PESQ library raises bytes."""
    (text, *_) = error.args or ("no reason given",)
    return text.decode() if isinstance(text, bytes) else str(text)
