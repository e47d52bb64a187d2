"""A 48 kHz checkpoint of an earlier system, from the first command to the last."""

from pathlib import Path

import numpy as np
import pytest
from earlier_decoders import Earlier48kHz, EarlierDualHead, save_earlier
from training import SMALL_CODEC, SMALL_RECIPE, make_cache, manifest_of, write_voice
from whole_runs import settings
from workplace import run, succeed

from snac_model import DualHeadSNAC, load, save


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Codes of a few voices."""
    root = tmp_path_factory.mktemp("earlier")
    save(SMALL_CODEC(), root / "codec")
    for number in range(3):
        write_voice(root / f"in/train/{number}.wav", 0.5 + 0.1 * number, number)
        write_voice(root / f"in/val/{number}.wav", 0.4 + 0.1 * number, 10 + number)
    return make_cache(root / "in", root / "artifacts", root / "codec")


@pytest.mark.parametrize(
    "kind", [EarlierDualHead, pytest.param(Earlier48kHz, marks=pytest.mark.campaign)]
)
def test_it_starts_a_run_and_is_evaluated(
    cached: Path, tmp_path: Path, kind: type[Earlier48kHz]
) -> None:
    state = np.random.RandomState(1).get_state()
    path = save_earlier(tmp_path / "best.pt", kind(SMALL_CODEC()), numpy_random_state=state)
    place = ["--codes", cached, "--manifest", manifest_of(cached), "--device", "cpu"]
    place += ["--artifacts", tmp_path / "artifacts"]
    recipe = SMALL_RECIPE | {"curriculum.epochs": "2"}
    arguments = ["--phase", 12, "--base", path, "--run", "one", *place, *settings(recipe)]
    trained = run("snac_train.cli.train", *arguments)
    assert trained.exit_code == 0, trained.stderr
    assert trained.stderr.count("left out") == 1
    assert isinstance(load(tmp_path / "artifacts/runs/one/best"), DualHeadSNAC)
    summary = succeed("snac_eval.cli.evaluate", path, "one", *place, "--samples", 0)
    assert len(summary["losses"]) >= 3  # the base, the checkpoint, the run
