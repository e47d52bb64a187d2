"""One utterance's codes on their way to audio."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snac_cache.convert.rejects import Unusable
from snac_cache.schema import code_column
from snac_model.shapes.geometry import Geometry, resampled_length


@dataclass(frozen=True)
class CodedUtterance:
    """Codes, int64 ``[tokens]`` a level, and the length of the audio that they are of, if known.

    ``num_frames`` counts samples at ``sample_rate``.
    """

    utterance_id: str
    codes: list[np.ndarray]
    num_frames: int | None = None
    sample_rate: int | None = None

    @classmethod
    def of(cls, row: dict[str, Any], geometry: Geometry, codebook_size: int) -> "CodedUtterance":
        """Take a row of cached codes, or as much of one as there is; the codes are a must.

        Raises:
            Unusable: ``bad_name``, if the row has no id; ``bad_codes``, if they are not whole
                coarse tokens of this model, or not as many as the length asks for.
        """
        if row.get("utterance_id") is None:
            raise Unusable("bad_name", "the row has no utterance_id")
        name = str(row["utterance_id"])
        try:
            levels = [row[code_column(level)] for level in range(geometry.levels)]
            codes = [_whole(level) for level in levels]
            num_frames, rate = _length(row, geometry)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            detail = f"no codes of {geometry.levels} levels with a length: {error!r}"
            raise Unusable("bad_codes", detail, name) from error
        if problem := _problem(codes, geometry, codebook_size, num_frames, rate):
            raise Unusable("bad_codes", problem, name)
        return cls(name, codes, num_frames, rate)

    @property
    def coarse_tokens(self) -> int:
        """Number of coarse tokens."""
        return len(self.codes[0])

    def samples_at(self, rate: int, geometry: Geometry) -> int:
        """Return the length of its audio at ``rate``: the input's, or whole coarse tokens."""
        if self.num_frames is None or self.sample_rate is None:
            return geometry.sample_span(rate, 0, self.coarse_tokens).stop
        return resampled_length(self.num_frames, self.sample_rate, rate)

    def seconds(self, geometry: Geometry) -> float:
        """Return the duration of its audio."""
        return self.samples_at(geometry.sample_rate, geometry) / geometry.sample_rate


def _whole(level: Any) -> np.ndarray:
    """Return a level's codes, int64 ``[tokens]``; raises ValueError if one is no whole number."""
    given = np.array(level).reshape(-1)
    codes: np.ndarray = given.astype(np.int64)
    if not np.array_equal(codes, given):
        raise ValueError(f"{given[codes != given][0]} is no code")
    return codes


def _length(row: dict[str, Any], geometry: Geometry) -> tuple[int | None, int | None]:
    if row.get("num_frames") is not None and row.get("source_sample_rate"):
        return int(row["num_frames"]), int(row["source_sample_rate"])
    if row.get("num_samples") is not None:
        return int(row["num_samples"]), geometry.sample_rate
    return None, None


def _problem(
    codes: Sequence[np.ndarray],
    geometry: Geometry,
    codebook_size: int,
    num_frames: int | None,
    rate: int | None,
) -> str | None:
    """Say what keeps codes from being those of a model and of a length."""
    lengths = [len(level) for level in codes]
    each = list(geometry.tokens_per_coarse)
    if not lengths[0] or lengths != [lengths[0] * tokens for tokens in each]:
        return f"{lengths} tokens are no whole coarse tokens, which take {each}"
    for level, tokens in enumerate(codes):
        if tokens.min() < 0 or tokens.max() >= codebook_size:
            return f"{code_column(level)} is not all in 0 to {codebook_size - 1}"
    if num_frames is not None and rate is not None:
        wanted = geometry.encoded_tokens(geometry.samples_from(rate, num_frames))[0]
        if lengths[0] != wanted:
            return f"{lengths[0]} coarse tokens, but {num_frames} frames at {rate} Hz have {wanted}"
    return None
