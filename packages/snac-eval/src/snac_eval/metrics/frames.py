"""What is kept of an utterance's log-mel frames, for measures of the whole set."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch

from snac_eval.metrics.pairs import NoValue, Pair
from snac_eval.metrics.short_time import (
    active_frames,
    floor_of,
    mel_bands,
    power_spectrogram,
    window_size,
)

BANDS = 40
DIMENSIONS = 2 * BANDS  # with the deltas
TRIANGLE = np.triu_indices(DIMENSIONS)
PATCHES, PATCH_FRAMES = 6, 32  # a patch is a third of a second
FEWEST_FRAMES = 3  # that have a delta

SCHEMA = pa.schema(
    [
        pa.field("utterance_id", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("rate", pa.int32(), nullable=False),
        pa.field("moments", pa.binary(), nullable=False),
        pa.field("patches", pa.binary()),
    ]
)


@dataclass(frozen=True)
class Frames:
    """An output's frames and those of its reference, in that order along the first axis.

    Attributes:
        moments: mean and upper triangle of the covariance of the levels and deltas of all frames,
            float32 ``[2, 80 + 80 * 81 / 2]``.
        patches: levels in six excerpts, float16 ``[2, 6, 40, 32]``; None if nobody asked.
    """

    utterance_id: str
    model: str
    rate: int
    moments: np.ndarray
    patches: np.ndarray | None

    @property
    def output(self) -> tuple[str, int]:
        """Model and rate."""
        return self.model, self.rate

    def means(self) -> np.ndarray:
        """Return the means, float64 ``[2, 80]``."""
        return self.moments[:, :DIMENSIONS].astype(np.float64)

    def covariances(self) -> np.ndarray:
        """Return the covariances, float64 ``[2, 80, 80]``."""
        matrices = np.zeros((2, DIMENSIONS, DIMENSIONS))
        matrices[:, *TRIANGLE] = self.moments[:, DIMENSIONS:]
        return matrices + np.triu(matrices, 1).transpose(0, 2, 1)


def frames_of(utterance_id: str, model: str, pair: Pair, *, patches: bool) -> Frames:
    """Reduce an output and its reference to what measures of the set need.

    Levels are log10 of the power in 40 mel bands over the reference's mean power, with a floor at
    -50 dB; a delta is what a level changes by from the frame before to the frame after.

    Raises:
        NoValue: if a signal is silent or too short.
    """
    pair.require_sound()
    powers = [
        power_spectrogram(one, window_size(pair.rate)) for one in (pair.output, pair.reference)
    ]
    floor = floor_of(powers[1])
    if powers[1].shape[1] < FEWEST_FRAMES + 2:
        raise NoValue(f"fewer than {FEWEST_FRAMES + 2} frames")
    levels = [_levels(power, floor, pair.rate) for power in powers]
    moments = np.stack([_moments(with_deltas(one)) for one in levels])
    active = active_frames(powers[1]).nonzero()[:, 0].cpu().numpy()
    cut = np.stack([_patches(one, active) for one in levels]) if patches else None
    return Frames(utterance_id, model, pair.rate, moments, cut)


def with_deltas(levels: np.ndarray) -> np.ndarray:
    """Return levels and deltas ``[80, frames - 2]`` of levels ``[40, frames]``."""
    return np.concatenate([levels[:, 1:-1], levels[:, 2:] - levels[:, :-2]])


def frames_table(frames: Iterable[Frames]) -> pa.Table:
    """Return frames as columns of a file."""
    rows = [
        {
            "utterance_id": one.utterance_id,
            "model": one.model,
            "rate": one.rate,
            "moments": one.moments.tobytes(),
            "patches": None if one.patches is None else one.patches.tobytes(),
        }
        for one in frames
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def read_frames(table: pa.Table) -> list[Frames]:
    """Return what ``frames_table`` made a table of; raises ValueError if it is damaged."""
    return [
        Frames(
            row["utterance_id"],
            row["model"],
            row["rate"],
            np.frombuffer(row["moments"], np.float32).reshape(2, DIMENSIONS + len(TRIANGLE[0])),
            None
            if row["patches"] is None
            else np.frombuffer(row["patches"], np.float16).reshape(2, PATCHES, BANDS, PATCH_FRAMES),
        )
        for row in table.to_pylist()
    ]


def _levels(power: torch.Tensor, floor: torch.Tensor, rate: int) -> np.ndarray:
    """Return levels ``[40, frames]`` in bel over the mean that the floor is below."""
    bands = mel_bands(power, rate, BANDS).clamp_min(floor).double()
    levels: np.ndarray = (bands.log10() - floor.double().log10()).cpu().numpy()
    return levels


def _moments(frames: np.ndarray) -> np.ndarray:
    covariance = np.cov(frames, bias=True)
    return np.concatenate([frames.mean(1), covariance[TRIANGLE]]).astype(np.float32)


def _patches(levels: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Cut excerpts from between the first and the last frame that is no silence."""
    first, last = int(active[0]), int(active[-1])
    if levels.shape[1] < PATCH_FRAMES:
        raise NoValue(f"fewer than {PATCH_FRAMES} frames")
    first = min(first, levels.shape[1] - PATCH_FRAMES)
    latest = max(first, last + 1 - PATCH_FRAMES)
    starts = np.linspace(first, latest, PATCHES).round().astype(int)
    cut = np.stack([levels[:, start : start + PATCH_FRAMES] for start in starts])
    return cut.astype(np.float16)
