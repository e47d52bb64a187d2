"""Utterances that sound otherwise in every epoch: louder, faster, mixed, or narrower.

What is done to an utterance depends on (seed, epoch, utterance) alone, as its slice does.
"""

from fractions import Fraction

import numpy as np
import torch

from snac_cache.store.code_store import CachedUtterance
from snac_model.audio.reading import resample
from snac_train.data.references import Rows, length_at, margin_for, read_source
from snac_train.data.slices import Draws
from snac_train.recipe.tables import Augmentation

LARGEST_DENOMINATOR = 20  # of a speed: resampling by 19 / 20 is cheap, by 0.9501 is not
NARROW_RATES = (6_000, 8_000, 12_000, 16_000)  # of telephones and old codecs; half of it is heard
MIX_DB = (5.0, 20.0)  # how much quieter the added utterance is made


class Augmented:
    """Sources resampled to ``rate``, changed as an epoch's draws say.

    Args:
        rate: of the audio, in Hz; the codec's.
        rows: of utterances, from which another one may be added.
        chosen: which of them.
    """

    def __init__(
        self, rate: int, rows: Rows, chosen: np.ndarray, settings: Augmentation, draws: Draws
    ) -> None:
        self.rate = rate
        self.rows = rows
        self.chosen = chosen
        self.settings = settings
        self.draws = draws
        self.speeds = [
            Fraction(speed).limit_denominator(LARGEST_DENOMINATOR) for speed in settings.speeds
        ]

    def frames(self, utterance: CachedUtterance) -> int:
        """Return the length at ``rate`` that the utterance has at its drawn speed."""
        return length_at(utterance, *self._rates(utterance))

    def read(self, utterance: CachedUtterance, start: int, stop: int) -> torch.Tensor:
        """Read a slice of the utterance as it sounds in this epoch, ``[T]``."""
        narrow = self._narrow_rate(utterance)
        margin = 2 * margin_for(self.rate, narrow) if narrow else 0  # it is resampled twice
        start, stop = start - margin, stop + margin
        audio = read_source(utterance, start, stop, *self._rates(utterance))
        if self._draw(utterance, "mix") < self.settings.mix:
            audio = audio + self._other(utterance, start, stop)
        if narrow:
            length = stop - start
            audio = resample(resample(audio, self.rate, narrow), narrow, self.rate)[:length]
            audio = audio[margin : length - margin]
        gain = (2 * self._draw(utterance, "gain") - 1) * self.settings.gain_db
        return (audio * 10 ** (gain / 20)).clamp(-1, 1)

    def _other(self, utterance: CachedUtterance, start: int, stop: int) -> torch.Tensor:
        """Read the same stretch of another utterance, made quieter."""
        row = int(self.chosen[int(self._draw(utterance, "other") * len(self.chosen))])
        other = self.rows[row]
        low, high = MIX_DB
        quieter = low + self._draw(utterance, "quieter") * (high - low)
        audio = read_source(other, start, stop, *self._rates(other))
        return audio * 10 ** (-quieter / 20)

    def _rates(self, utterance: CachedUtterance) -> tuple[int, int]:
        """Return two rates between which resampling changes speed and sample rate in one."""
        speed = self.speeds[int(self._draw(utterance, "speed") * len(self.speeds))]
        return utterance.source_sample_rate * speed.numerator, self.rate * speed.denominator

    def _narrow_rate(self, utterance: CachedUtterance) -> int:
        if self._draw(utterance, "narrow") >= self.settings.narrow:
            return 0
        return NARROW_RATES[int(self._draw(utterance, "narrow rate") * len(NARROW_RATES))]

    def _draw(self, utterance: CachedUtterance, what: str) -> float:
        return self.draws.share(what, utterance.utterance_id)
