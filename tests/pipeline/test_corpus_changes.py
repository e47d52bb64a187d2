"""What may change of a corpus after it was encoded, and what must be done then: mostly nothing."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result
from training import SMALL_CODEC, SMALL_RECIPE, write_voice
from whole_runs import settings
from workplace import run, snapshot, succeed

from snac_cache import CodeStore
from snac_model import save

ONE_EPOCH = SMALL_RECIPE | {
    "curriculum.epochs": "1",
    "curriculum.warmup_epochs": "0",
    "curriculum.epoch_ranges": "1-1",
    "curriculum.segment_s": "0.2",
    "curriculum.batch_multiplier": "1",
    "curriculum.batch_size": "4",
}


@dataclass
class Corpus:
    """A folder of speech, its artifacts, and the commands run on them."""

    root: Path
    speech: Path
    model: Path

    @property
    def codes(self) -> Path:
        return self.root / "art" / "codes"

    def manifest(self, *options: object) -> dict[str, Any]:
        short = ("--min-duration", 0.1, "--artifacts", self.root / "art")
        return succeed("snac_cache.cli.manifest", self.speech, *short, *options)

    def cache(self) -> dict[str, Any]:
        options = ("--model", self.model, "--part-rows", 2, "--device", "cpu", "--workers", 1)
        return succeed("snac_cache.cli.cache", *options, "--artifacts", self.root / "art")

    def upsample(self) -> dict[str, Any]:
        options = ("--engine", "resample", "--device", "cpu", "--workers", 1)
        return succeed("snac_cache.cli.upsample", *options, "--artifacts", self.root / "art")

    def train(self, name: str, *options: object, phase: int = 11) -> Result:
        place = ("--artifacts", self.root / "art", "--run", name, "--device", "cpu")
        chosen = ("--phase", phase, *settings(ONE_EPOCH))
        return run("snac_train.cli.train", *chosen, *place, *options)

    def counts(self, name: str, **options: Any) -> tuple[int, int]:
        """Train, and return how many utterances of each split were used."""
        trained = self.train(name, **options)
        assert trained.exit_code == 0, trained.stderr
        state = json.loads((self.root / f"art/runs/{name}/run.json").read_text())
        return state["counts"]["train"], state["counts"]["val"]

    def evaluate(self, *options: object) -> Result:
        place = ("--artifacts", self.root / "art", "--device", "cpu", "--workers", 1)
        return run("snac_eval.cli.evaluate", self.model, *place, "--samples", 0, *options)

    def parts(self) -> dict[str, bytes]:
        """Return what was encoded, by file."""
        files = snapshot(self.codes)
        return {name: data for name, data in files.items() if name.startswith(("train/p", "val/p"))}


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Five utterances to train on and two to validate on, at 48 kHz, not encoded yet."""
    save(SMALL_CODEC(), tmp_path / "small")
    write_speech(tmp_path / "speech")
    return Corpus(tmp_path, tmp_path / "speech", tmp_path / "small")


def write_speech(folder: Path, rate: int = 48_000, seed: int = 0) -> None:
    for number in range(7):
        path = folder / ("train" if number < 5 else "val") / f"{number}.wav"
        write_voice(path, 0.4 + 0.05 * number, seed + number, rate)


def change(corpus: Corpus, split: str, column: str, values: list[str]) -> None:
    """Write a column of a manifest, as the owner of a corpus does with other tools."""
    path = corpus.root / f"art/manifests/{split}.parquet"
    table = pq.read_table(path)
    if column in table.column_names:
        table = table.drop_columns([column])
    pq.write_table(table.append_column(column, pa.array(values)), path)


def test_targets_made_after_the_codes_need_no_encoding(corpus: Corpus) -> None:
    shutil.rmtree(corpus.speech)
    write_speech(corpus.speech, rate=24_000)
    corpus.manifest()
    corpus.cache()
    before = corpus.parts()
    without = corpus.train("without")
    assert without.exit_code == 1
    assert "Make targets with snac-upsample." in without.stderr
    assert corpus.upsample()["made"] == 7
    assert corpus.counts("eleven", phase=11) == (5, 2)
    assert corpus.counts("twelve", phase=12) == (5, 2)
    assert corpus.cache()["rows"] == 0
    assert corpus.parts() == before


@pytest.mark.campaign
def test_a_corrected_transcript_asks_for_nothing(corpus: Corpus) -> None:
    corpus.manifest()
    change(corpus, "val", "text", ["thier", "there"])
    corpus.cache()
    before = corpus.parts()
    change(corpus, "val", "text", ["their", "there"])
    store = CodeStore(corpus.codes, "val", corpus.root / "art/manifests")
    assert store.column("text").to_pylist() == ["their", "there"]
    assert corpus.counts("one") == (5, 2)
    heard = ("--samples", 3, "--where", "text = 'their'")
    judged = corpus.evaluate(*heard)
    assert judged.exit_code == 0, judged.stderr
    report = Path(json.loads(judged.stdout)["report"])
    (sample,) = json.loads((report.parent / "audio/samples.json").read_text())
    assert sample["utterance_id"] == "speech/val/5"
    assert corpus.cache()["rows"] == 0
    assert corpus.parts() == before


@pytest.mark.campaign
def test_a_corpus_may_move(corpus: Corpus) -> None:
    corpus.manifest()
    corpus.cache()
    before, counts = corpus.parts(), corpus.counts("one")
    corpus.speech = corpus.root / "other mount" / "speech"
    corpus.speech.parent.mkdir()
    shutil.move(corpus.root / "speech", corpus.speech)
    gone = corpus.evaluate()
    assert (gone.exit_code, "run snac-manifest where they are now" in gone.stderr) == (1, True)
    corpus.manifest()
    assert corpus.counts("two") == counts
    assert corpus.evaluate().exit_code == 0
    assert corpus.train("one", "--resume").exit_code == 0, "a run may be resumed there"
    assert corpus.cache()["rows"] == 0
    assert corpus.parts() == before


@pytest.mark.campaign
def test_another_split_needs_no_encoding(corpus: Corpus) -> None:
    shutil.move(corpus.speech / "train", corpus.speech / "one")  # split by hash, not by folders
    few = corpus.manifest("--val-ratio", 0.3)
    corpus.cache()
    before = corpus.parts()
    assert corpus.counts("few") == (few["train"], few["val"])
    many = corpus.manifest("--val-ratio", 0.7)
    assert many["val"] > few["val"]
    assert corpus.counts("many") == (many["train"], many["val"])
    assert json.loads(corpus.evaluate().stdout)["utterances"] == many["val"]
    resumed = corpus.train("few", "--resume")
    assert (resumed.exit_code, "data.train_sha256" in resumed.stderr) == (1, True)
    assert corpus.cache()["rows"] == 0
    assert corpus.parts() == before


@pytest.mark.campaign
def test_audio_replaced_in_place_is_encoded_again_and_nothing_else(corpus: Corpus) -> None:
    corpus.manifest()
    corpus.cache()
    before = corpus.parts()
    write_voice(corpus.speech / "train/0.wav", 0.4, seed=99)  # as long as it was
    corpus.manifest()
    early = corpus.train("early")
    assert early.exit_code == 1
    assert "'speech/train/0'" in early.stderr
    assert "was replaced since it was encoded" in early.stderr
    assert corpus.cache()["rows"] == 2
    assert corpus.counts("late") == (5, 2)
    differing = {name for name, data in corpus.parts().items() if data != before[name]}
    assert differing == {"train/part-00000.parquet"}


def test_audio_that_a_program_wrote_over_is_noticed(corpus: Corpus) -> None:
    """Manifest and codes agree with each other, and only the files do not."""
    corpus.manifest()
    corpus.cache()
    assert corpus.counts("before") == (5, 2)
    write_speech(corpus.speech, seed=50)
    longer = ("--set", "curriculum.epochs=2", "--set", "curriculum.epoch_ranges=1-2")
    going_on = ("--resume", "--allow-changed", "curriculum", *longer)
    for refused in (corpus.train("after"), corpus.train("before", *going_on)):
        assert refused.exit_code == 1
        assert "the audio of 7 of 7 utterances looked at" in refused.stderr
    judged = corpus.evaluate()
    assert (judged.exit_code, "was replaced since" in judged.stderr) == (1, True)


def test_without_a_manifest_it_is_what_it_was_when_it_was_cached(corpus: Corpus) -> None:
    corpus.manifest()
    corpus.cache()
    shutil.rmtree(corpus.root / "art/manifests")
    trained = corpus.train("one")
    assert trained.exit_code == 0, trained.stderr
    assert trained.stderr.count(f"taking what it said when {corpus.codes} was made") == 1
    state = json.loads((corpus.root / "art/runs/one/run.json").read_text())
    assert state["manifest"] == str(corpus.codes / "plan")
    judged = corpus.evaluate()
    assert judged.exit_code == 0, judged.stderr
    assert "taking what it said" in judged.stderr


def test_what_a_manifest_lacks_is_left_out_and_said(corpus: Corpus) -> None:
    corpus.manifest()
    corpus.cache()
    (corpus.speech / "train/4.wav").unlink()
    corpus.manifest()
    trained = corpus.train("one")
    assert trained.exit_code == 0, trained.stderr
    assert "train: 4 utterances" in trained.stderr
    assert "1 cached utterances are not in" in trained.stderr
