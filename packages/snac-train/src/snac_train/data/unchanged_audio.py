"""Proof, by a sample, that the audio on the disk is that which the codes were made from.

That a manifest and its codes tell of the same audio is seen when they are opened. But a program
that writes over every file, such as a denoiser, changes neither of them.
"""

import numpy as np

from snac_cache.fingerprint import audio_fingerprint
from snac_cache.store.code_store import CachedUtterance
from snac_common.errors import Failure
from snac_model.audio.header import AudioError
from snac_train.data.dataset import Utterances
from snac_train.data.inputs import Inputs

SAMPLE = 64  # of each split: few reads, and more than enough to see a change of most files


def check_unchanged(inputs: Inputs) -> None:
    """Compare some files with their fingerprints; raises Failure if audio was replaced."""
    looked_at = [*_sample(inputs.train), *_sample(inputs.val)]
    replaced = [utterance for utterance in looked_at if _is_replaced(utterance)]
    if replaced:
        raise Failure(
            f"the audio of {len(replaced)} of {len(looked_at)} utterances looked at, such as "
            f"{replaced[0].utterance_id!r} ({replaced[0].audio_path}), was replaced since it was "
            "encoded. Run snac-manifest, snac-upsample if there are targets, and snac-cache: they "
            "do again what was replaced."
        )


def _sample(utterances: Utterances) -> list[CachedUtterance]:
    """Return utterances at equal distances."""
    count = min(SAMPLE, len(utterances))
    items = np.linspace(0, len(utterances) - 1, count).astype(np.int64)
    return [utterances.store[int(utterances.rows[item])] for item in items]


def _is_replaced(utterance: CachedUtterance) -> bool:
    """Say whether a file is another one; targets may be all that is left, and sources gone."""
    if utterance.audio_fingerprint is None:
        return False
    try:
        return audio_fingerprint(utterance.audio_path) != utterance.audio_fingerprint
    except AudioError:
        return False
