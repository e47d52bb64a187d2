"""What the tests of evaluation share."""

import pytest
import torch

from snac_model import SNAC, save
from workplace import LENGTHS_S, SMALL, Workplace, cache, manifest_row, write_audio


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """Four utterances, one of them in a part of its own, and a seeded small codec."""
    root = tmp_path_factory.mktemp("artifacts")
    torch.manual_seed(0)
    save(SNAC(**SMALL), root / "models" / "base")
    paths = [root / "audio" / f"utterance {number}.wav" for number in range(len(LENGTHS_S))]
    for number, path in enumerate(paths):
        write_audio(path, LENGTHS_S[number], number)
    cache([manifest_row(path) for path in paths], root / "models" / "base", root / "codes")
    return Workplace(root, root / "models" / "base")
