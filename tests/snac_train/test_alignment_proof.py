"""Before it trains, a run decodes some codes and hears whether their audio is at its place."""

import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import torch
from training import manifest_of
from workplace import run, succeed

from snac_cache.store.code_store import CachedUtterance
from snac_common.errors import Failure
from snac_train.data.dataset import SegmentDataset
from snac_train.data.inputs import Inputs, open_inputs
from snac_train.data.references import Targets
from snac_train.data.slices import Window
from snac_train.recipe.load import load_recipe
from snac_train.recipe.tables import Recipe
from snac_train.training.alignment import check_alignment
from snac_train.training.validation import validation_segments

CODEC = "builtin:speech-small"
LATE = 4_096  # samples at 48 kHz: one coarsest token
EARLIER_HOP = 441 * 8  # samples at 24 kHz that an earlier system took a coarsest token for


@pytest.fixture(scope="module")
def spoken(speech: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Codes of a few long real utterances, by a codec that has learnt speech."""
    root = tmp_path_factory.mktemp("spoken")
    for split, count in (("train", 1), ("val", 4)):
        files = sorted(
            (speech / "nathalie" / split).glob("*"), key=lambda file: file.stat().st_size
        )
        for file in files[-count:]:
            copy = root / "in" / split / file.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
    make_codes(root, root / "in")
    return root


def make_codes(root: Path, sources: Path) -> None:
    succeed("snac_cache.cli.manifest", sources, "--artifacts", root)
    succeed("snac_cache.cli.cache", "--model", CODEC, "--artifacts", root, "--device", "cpu")


def recipe() -> Recipe:
    return load_recipe(12, {"validation.segment_s": "1.5"}.items())


def check(root: Path) -> str:
    inputs: Inputs = open_inputs(recipe(), root / "codes", str(root / "manifests"))
    return check_alignment(recipe(), inputs, validation_segments(recipe(), inputs, 1.5))


def test_audio_of_the_codes_passes(spoken: Path) -> None:
    assert check(spoken) == "in place in 4 of 4 segments that can tell"


def test_the_earlier_arithmetic_is_caught(spoken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hop 441 and strides 8, 4, 2, 1 for a codec of hop 512 and strides 4, 2, 1."""

    def audio(self: SegmentDataset, utterance: object, start: int, window: Window) -> torch.Tensor:
        first = start * EARLIER_HOP * self.reference.rate // 24_000
        span = self.geometry.sample_span(self.reference.rate, 0, self.segment_tokens)
        stop = first + span.stop + self.margin
        return self.reference.read(utterance, first - self.margin, stop)  # type: ignore[arg-type]

    monkeypatch.setattr(SegmentDataset, "_audio", audio)
    with pytest.raises(Failure, match=r"up to \d+ ms from, or nothing like, the audio"):
        check(spoken)


def test_targets_that_are_a_token_late_stop_a_run(spoken: Path, tmp_path: Path) -> None:
    """The lengths fit, the files can be read, and losses would fall."""
    root = tmp_path / "artifacts"
    make_codes(root, shutil.copytree(spoken / "in", tmp_path / "in"))
    for manifest in (root / "manifests").glob("[tv]*.parquet"):
        rows = pq.read_table(manifest).to_pylist()
        for row in rows:
            audio, rate = soundfile.read(row["audio_path"])
            row["target_path"] += ".late.wav"
            late = np.concatenate([np.zeros(LATE), audio[:-LATE]])
            soundfile.write(row["target_path"], late, rate)
        pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(manifest)), manifest)
    options = ["--phase", 12, "--artifacts", root, "--run", "one", "--device", "cpu"]
    options += ["--set", "validation.segment_s=1.5"]
    for more in ((), ("--preflight",)):
        refused = run("snac_train.cli.train", *options, *more)
        assert refused.exit_code == 1
        assert "4 of 4 segments" in refused.stderr
        assert re.search("up to 8[56] ms from", refused.stderr), refused.stderr
    assert not (root / "runs" / "one" / "checkpoints").exists()


def test_audio_of_other_utterances_is_caught(spoken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Targets.read

    def other(self: Targets, utterance: CachedUtterance, start: int, stop: int) -> torch.Tensor:
        return read(self, utterance, start, stop).flip(0)

    monkeypatch.setattr(Targets, "read", other)
    with pytest.raises(Failure, match="nothing like"):
        check(spoken)


def test_a_base_that_has_learnt_nothing_tells_nothing(voices: Path) -> None:
    inputs = open_inputs(recipe(), voices, manifest_of(voices))
    found = check_alignment(recipe(), inputs, validation_segments(recipe(), inputs, 0.4))
    assert found.endswith("says nothing that could be compared (5 segments)")
