"""Tokens become the audio of their codes."""

import numpy as np
import pytest
import torch
from models import NARROW, codes, seeded

from snac_common.errors import BadInput
from snac_model import ORPHEUS, DualHeadSNAC, TokenLayout, decode_tokens, no_noise

LAYOUT = TokenLayout(ORPHEUS.order, offset=5, codebook_size=256)


def test_tokens_become_the_audio_of_their_codes() -> None:
    model = DualHeadSNAC.from_base(seeded(NARROW["24k"]))
    levels = codes(model, 5)
    with torch.inference_mode():
        expected = model.decode_by_rate(levels, no_noise)
    audio = decode_tokens(model, LAYOUT.text(levels), LAYOUT, no_noise)
    assert audio.keys() == expected.keys()
    for rate, samples in audio.items():
        np.testing.assert_array_equal(samples, expected[rate][0, 0].numpy())


def test_tokens_of_another_model_are_refused() -> None:
    with pytest.raises(BadInput, match="this token layout counts 4096 codes, the model 256"):
        decode_tokens(seeded(NARROW["24k"]), "")
