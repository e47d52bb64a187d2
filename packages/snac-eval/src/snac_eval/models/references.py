"""What decoded audio is judged against: the utterance itself, at both rates."""

from dataclasses import dataclass
from typing import NamedTuple

import torch

from snac_cache.fingerprint import audio_fingerprint
from snac_cache.store.code_store import CachedUtterance
from snac_model.audio.header import AudioError
from snac_model.audio.reading import read_mono, resample
from snac_model.shapes.geometry import Geometry

UNREADABLE = "the reference cannot be read"
OTHER_AUDIO = "the reference is not the audio that was encoded"
ADVICE = (
    "Put back what is missing; if all files have moved, run snac-manifest where they are now. For "
    "audio that was replaced, run snac-manifest, snac-upsample and snac-cache again. Then the same "
    "command measures what could not be measured now, and that alone."
)


class NoReference(Exception):
    """An utterance cannot be measured; the message says which file is wrong, and in what.

    Attributes:
        reason: one of ``UNREADABLE`` and ``OTHER_AUDIO``.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Rates(NamedTuple):
    """The rates of the two heads, in Hz."""

    low: int
    high: int

    @classmethod
    def of(cls, geometry: Geometry) -> "Rates":
        """Return the codec's own rate, and twice that rate: whatever its decoder gives."""
        return cls(geometry.sample_rate, 2 * geometry.sample_rate)


@dataclass(frozen=True)
class Reference:
    """An utterance as it should sound.

    Attributes:
        audio: float32 ``[T]`` by rate; one that does not exist is absent.
        missing: why, by rate.
    """

    audio: dict[int, torch.Tensor]
    missing: dict[int, str]


def read_reference(
    utterance: CachedUtterance, geometry: Geometry, num_samples: int | None = None
) -> Reference:
    """Read an utterance at the rates of both heads: the first ``num_samples``, by default all.

    With a target, the lower rate is resampled from the higher, as in training. Without one there
    is only the lower rate, resampled from the source.

    Raises:
        NoReference: if a file cannot be read, or does not hold the audio that was encoded.
    """
    rates = Rates.of(geometry)
    path = utterance.target_path or utterance.audio_path
    audio, rate = _read(path, utterance)
    if path == utterance.audio_path:
        _check_unchanged(utterance)
    missing = {}
    if utterance.target_path is None or rate < rates.high:
        missing[rates.high] = f"no target at {rates.high} Hz"
    else:
        audio, rate = resample(audio, rate, rates.high), rates.high
    versions = {wanted: resample(audio, rate, wanted) for wanted in rates if wanted not in missing}
    for wanted, version in versions.items():
        expected = geometry.samples_at(wanted, utterance.num_samples)
        if abs(len(version) - expected) > 1:  # rounding may leave it one sample short or long
            raise _not_its_audio(path, utterance, len(version), wanted, expected)
        kept = geometry.samples_at(wanted, num_samples or utterance.num_samples)
        versions[wanted] = version[:kept]
    return Reference(versions, missing)


def read_source(utterance: CachedUtterance, geometry: Geometry) -> torch.Tensor:
    """Read what was encoded, ``[T]`` at the codec's rate.

    Raises:
        NoReference: if it cannot be read, or was replaced since.
    """
    _check_unchanged(utterance)
    audio, rate = _read(utterance.audio_path, utterance)
    audio = resample(audio, rate, geometry.sample_rate)
    if len(audio) != utterance.num_samples:
        wanted = (geometry.sample_rate, utterance.num_samples)
        raise _not_its_audio(utterance.audio_path, utterance, len(audio), *wanted)
    return audio


def _read(path: str, utterance: CachedUtterance) -> tuple[torch.Tensor, int]:
    try:
        return read_mono(path)
    except AudioError as error:
        raise NoReference(UNREADABLE, f"cannot read {path}: {error}") from error


def _check_unchanged(utterance: CachedUtterance) -> None:
    """Compare a source with its fingerprint, if it has one."""
    try:
        found = audio_fingerprint(utterance.audio_path)
    except AudioError as error:
        raise NoReference(UNREADABLE, f"cannot read {utterance.audio_path}: {error}") from error
    if utterance.audio_fingerprint not in (None, found):
        raise NoReference(
            OTHER_AUDIO,
            f"{utterance.audio_path} is not the audio that {utterance.utterance_id!r} was encoded "
            "from: it was replaced since",
        )


def _not_its_audio(
    path: str, utterance: CachedUtterance, length: int, rate: int, expected: int
) -> NoReference:
    return NoReference(
        OTHER_AUDIO,
        f"{path} is not the audio that {utterance.utterance_id!r} was encoded from: it has "
        f"{length} samples at {rate} Hz, the codes stand for {expected}",
    )
