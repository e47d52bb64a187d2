"""Proof before training that codes and references sound at the same time.

Slices of audio that drift away from slices of codes give losses that look as they should and fall
as they should. So the base decodes some segments first, and what it says is held against what is
to be learnt.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from snac_cache.schema import TARGET_RATE
from snac_cache.targets.alignment import common_band, measure
from snac_common.errors import Failure
from snac_common.progress import track
from snac_model.audio.reading import resample
from snac_model.codec.snac import SNAC
from snac_train.data.dataset import SegmentDataset
from snac_train.data.inputs import Inputs
from snac_train.recipe.tables import Recipe
from snac_train.training.objective import Objective

SEGMENTS = 16
LARGEST_LAG_S = 0.02  # envelopes of speech made anew are up to 7 ms off, see snac_cache's measure
SHARE_THAT_MAY_FAIL = 0.25  # a door, or one held vowel, resembles itself at many lags

Lag = float | None  # seconds that one sound is later than another; None if nothing in them is alike


@dataclass(frozen=True)
class Comparison:
    """One segment against its reference: decoded from its codes, and from codes made of it now.

    The second says whether this base can be compared with this audio at all.
    """

    cached: Lag
    encoded: Lag

    @property
    def tells(self) -> bool:
        """Whether the base says such audio so well that its place can be heard."""
        return _in_place(self.encoded)

    @property
    def fails(self) -> bool:
        """Whether the cached codes say something else, or say it elsewhere."""
        return self.tells and not _in_place(self.cached)


@torch.no_grad()
def check_alignment(recipe: Recipe, inputs: Inputs, segments: SegmentDataset) -> str:
    """Compare what the base decodes of some segments with their references, in time.

    Args:
        segments: with codes; at different offsets in their utterances.

    Returns:
        What was found, in words; also that the base says nothing that could be compared.

    Raises:
        Failure: if the audio does not belong to the codes.
    """
    found = list(_compare(recipe, inputs, segments))
    telling = [comparison for comparison in found if comparison.tells]
    failed = [comparison.cached for comparison in telling if comparison.fails]
    if len(failed) > SHARE_THAT_MAY_FAIL * len(telling):
        raise Failure(
            f"{len(failed)} of {len(telling)} segments that {inputs.base} decodes from the cached "
            f"codes are {_in_words(failed)} the audio that they would be compared with: it is not "
            "the audio of these codes. If audio was replaced, run snac-manifest, snac-upsample and "
            "snac-cache: they do again what was replaced."
        )
    if not telling:
        return f"{inputs.base} says nothing that could be compared ({len(found)} segments)"
    return f"in place in {len(telling) - len(failed)} of {len(telling)} segments that can tell"


def _compare(recipe: Recipe, inputs: Inputs, segments: SegmentDataset) -> Iterator[Comparison]:
    base = inputs.base_model
    device = next(base.parameters()).device
    objective = Objective(base, recipe).to(device)
    head, rate = next(iter(objective.heads.items()))
    items = range(0, len(segments), -(-len(segments) // SEGMENTS))
    for item in track(items, len(items), "check that codes and audio match", "segments"):
        batch = segments.batch([item]).to(device)
        own = slice(int(batch.valid[rate]))
        reference = objective.references(batch)[head][:, own]
        decoded = objective.decode(objective.latents(batch).values, batch)[head]
        cached = objective.cut(decoded, rate, batch)[:, own]
        again = _said_again(base, reference, rate)
        yield Comparison(*(_lag(base, reference, said, rate) for said in (cached, again)))


def _said_again(base: SNAC, audio: torch.Tensor, rate: int) -> torch.Tensor:
    """Encode audio ``[1, T]`` and decode it at the same rate."""
    encoded = base.encode(resample(audio, rate, base.geometry.sample_rate)[:, None])
    return base.decode_by_rate(encoded)[rate][:, 0, : audio.shape[-1]]


def _lag(base: SNAC, reference: torch.Tensor, said: torch.Tensor, rate: int) -> Lag:
    first, second = (
        resample(audio[0].float().cpu(), rate, TARGET_RATE) for audio in (reference, said)
    )
    found = measure(first, second, common_band(base.geometry.sample_rate))
    return None if found is None else found.lag / TARGET_RATE


def _in_place(lag: Lag) -> bool:
    return lag is not None and abs(lag) <= LARGEST_LAG_S


def _in_words(lags: list[Lag]) -> str:
    heard = [abs(lag) for lag in lags if lag is not None]
    if not heard:
        return "nothing like"
    farthest = f"up to {1000 * max(heard):.0f} ms from"
    return farthest if len(heard) == len(lags) else f"{farthest}, or nothing like,"
