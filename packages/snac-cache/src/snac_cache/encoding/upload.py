"""From audio as it was read to the codec's input, on the device."""

from collections import defaultdict
from collections.abc import Sequence

import torch

from snac_cache.encoding.precision import arithmetic
from snac_model.audio.reading import resample
from snac_model.shapes.geometry import Geometry, resampled_length


def codec_input(
    audios: Sequence[torch.Tensor], rates: Sequence[int], geometry: Geometry, device: torch.device
) -> torch.Tensor:
    """Resample utterances of one padded length on the device, in float32; pad as the codec does.

    Args:
        audios: ``[T]`` each at its own rate, in the host's memory.
        rates: of each, in Hz.

    Returns:
        float32 ``[B, 1, padded T]``: each row as it would be for an utterance alone.
    """
    rate = geometry.sample_rate
    lengths = [
        resampled_length(len(audio), own, rate) for audio, own in zip(audios, rates, strict=True)
    ]
    padded = torch.zeros(len(audios), 1, geometry.padded_samples(max(lengths)), device=device)
    with arithmetic("fp32", device):
        for own, rows in _by_rate(rates).items():
            resampled = resample(_stacked([audios[row] for row in rows], device), own, rate)
            for row, samples in zip(rows, resampled, strict=True):
                # What follows an utterance's end is the filter's ringing, and no audio.
                padded[row, 0, : lengths[row]] = samples[: lengths[row]]
    return padded


def _by_rate(rates: Sequence[int]) -> dict[int, list[int]]:
    """Return which rows have each rate."""
    rows: dict[int, list[int]] = defaultdict(list)
    for row, rate in enumerate(rates):
        rows[rate].append(row)
    return rows


def _stacked(audios: list[torch.Tensor], device: torch.device) -> torch.Tensor:
    """Copy audio to the device as ``[B, T]``, the shorter filled up with silence.

    A GPU fetches pinned memory by itself, while the processor goes on.
    """
    longest = max(map(len, audios))
    if len(audios) == 1:
        stacked = audios[0][None]
        stacked = stacked.pin_memory() if can_pin(device) else stacked
    else:
        stacked = torch.zeros(len(audios), longest, pin_memory=can_pin(device))
        for row, audio in enumerate(audios):
            stacked[row, : len(audio)] = audio
    return stacked.to(device, non_blocking=True)


def can_pin(device: torch.device) -> bool:
    """Say whether memory can be pinned for the device."""
    return device.type == "cuda" and torch.cuda.is_available()
