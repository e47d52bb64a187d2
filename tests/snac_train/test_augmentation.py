"""What augmentation makes of an utterance, and that it depends on nothing but what it should."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from training import SMALL_CODEC, invoke, manifest_of, small_base, write_voice

from snac_cache.cli.manifest import main as manifest_command
from snac_cache.manifests.read import read_manifest
from snac_train.data.augmentation import MIX_DB, NARROW_RATES, Augmented
from snac_train.data.dataset import SegmentDataset, Utterances
from snac_train.data.inputs import open_inputs
from snac_train.data.loading import Readers
from snac_train.data.manifest_rows import ManifestRows
from snac_train.data.reading import Segments, SegmentSource
from snac_train.data.references import Sources
from snac_train.data.segments import Batch
from snac_train.data.slices import Draws
from snac_train.recipe.load import load_recipe
from snac_train.recipe.tables import Augmentation
from snac_train.training.objective import Objective
from snac_train.training.validation import segments_to_validate

RATE = 24_000
NOTHING: dict[str, Any] = {"gain_db": 0.0, "speeds": (1.0,), "mix": 0.0, "narrow": 0.0}
MUCH: dict[str, Any] = {"gain_db": 6.0, "speeds": (0.85, 1.0, 1.15), "mix": 0.5, "narrow": 0.5}
GEOMETRY = SMALL_CODEC().geometry


def rows_of(folder: Path) -> ManifestRows:
    """Return the train utterances of a folder of audio."""
    places = ["--artifacts", str(folder / "artifacts"), "--min-duration", "0.01"]
    invoke(manifest_command, [str(folder / "in"), "--val-ratio", "0", *places])
    table = read_manifest(str(folder / "artifacts/manifests"))["train"]
    return ManifestRows(table, GEOMETRY)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> ManifestRows:
    """Voices at several rates, the shortest of them shorter than some segments."""
    root = tmp_path_factory.mktemp("voices")
    for number, rate in enumerate((24_000, 48_000, 44_100, 22_050, 16_000, 24_000)):
        write_voice(root / f"in/train/{number}.wav", 0.15 + 0.2 * number, number, rate)
    return rows_of(root)


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> ManifestRows:
    """Tones of 500 and 3,000 Hz, a second each, at amplitude 0.25."""
    return written(
        tmp_path_factory.mktemp("tones"),
        {"low": 0.25 * tone(500, RATE), "up": 0.25 * tone(3_000, RATE)},
    )


def tone(hertz: float, rate: int) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(rate) / rate)


def written(root: Path, files: dict[str, np.ndarray], rate: int = RATE) -> ManifestRows:
    (root / "in/train").mkdir(parents=True)
    for name, audio in files.items():
        soundfile.write(root / f"in/train/{name}.wav", audio, rate, subtype="FLOAT")
    return rows_of(root)


def augmented(rows: ManifestRows, epoch: int = 1, seed: int = 0, **settings: Any) -> Augmented:
    augmentation = Augmentation(**(NOTHING | settings))
    return Augmented(RATE, rows, np.arange(len(rows)), augmentation, Draws.for_epoch(seed, epoch))


def whole(reference: Augmented, row: int) -> torch.Tensor:
    utterance = reference.rows[row]
    return reference.read(utterance, 0, reference.frames(utterance))


def amplitude(audio: torch.Tensor, hertz: float) -> float:
    """Return that of a tone of a whole number of periods."""
    turning = torch.exp(-2j * torch.pi * hertz * torch.arange(len(audio)) / RATE)
    return float(2 * (audio * turning).mean().abs())


def segments(reference: Augmented, epoch: int, length: int, context: int = 0) -> SegmentDataset:
    rows = reference.rows
    assert isinstance(rows, ManifestRows)
    return SegmentDataset(
        Utterances(rows, np.arange(len(rows))),
        reference,
        GEOMETRY,
        segment_tokens=length,
        context=context,
        draws=Draws.for_epoch(0, epoch),
    )


def test_with_nothing_to_do_an_utterance_is_its_source(rows: ManifestRows) -> None:
    reference, sources = augmented(rows), Sources(RATE)
    for row in range(len(rows)):
        assert reference.frames(rows[row]) == sources.frames(rows[row])
        assert reference.read(rows[row], 100, 4_000).equal(sources.read(rows[row], 100, 4_000))


def test_what_is_done_does_not_depend_on_what_was_done_before(rows: ManifestRows) -> None:
    numbers = list(range(len(rows)))
    in_order = {row: augmented(rows, **MUCH).read(rows[row], 50, 3_000) for row in numbers}
    reference = augmented(rows, **MUCH)
    for row in (*reversed(numbers), *numbers):
        assert reference.read(rows[row], 50, 3_000).equal(in_order[row])


def test_what_is_done_does_not_depend_on_the_process(rows: ManifestRows) -> None:
    utterances = {"train": Utterances(rows, np.arange(len(rows)))}
    settings = replace(load_recipe(12).augmentation, **MUCH)
    source = SegmentSource(utterances, Sources(RATE), settings, rows.geometry, 3)
    batches = [np.array([item]) for item in range(len(rows))]
    chosen = Segments("train", 5, Draws.for_epoch(0, 1))
    here, there = (Readers(source, workers).read(chosen, batches) for workers in (0, 2))
    for one, other in zip(here, there, strict=True):
        assert isinstance(one, Batch)
        assert isinstance(other, Batch)
        assert one.audio.equal(other.audio)


def test_what_is_done_differs_by_seed_epoch_and_utterance(tones: ManifestRows) -> None:
    peaks = {
        float(augmented(tones, epoch, seed, gain_db=6.0).read(tones[row], 0, RATE).max())
        for epoch in range(1, 4)
        for seed in range(3)
        for row in range(2)
    }
    assert len(peaks) == 3 * 3 * 2


EXACT = 1e-5  # of the whole utterance's level
NEARLY = 0.06  # a slice begins between two samples of the narrow rate


@pytest.mark.parametrize(
    ("settings", "tolerance"),
    [
        ({"gain_db": 6.0}, EXACT),
        ({"speeds": (0.85, 1.0, 1.15)}, EXACT),
        ({"mix": 1.0}, EXACT),
        ({"gain_db": 6.0, "speeds": (0.85, 1.15), "mix": 1.0}, EXACT),
        ({"narrow": 1.0}, NEARLY),
    ],
)
def test_a_slice_is_that_of_the_whole_utterance(
    rows: ManifestRows, settings: dict[str, Any], tolerance: float
) -> None:
    for epoch in (1, 2, 3):
        reference = augmented(rows, epoch, **settings)
        for row in range(len(rows)):
            expected = whole(reference, row)
            length = len(expected)
            for start, stop in ((0, 1_000), (1, 700), (1_501, length), (length - 1_003, length)):
                difference = reference.read(rows[row], start, stop) - expected[start:stop]
                error = level(difference) / level(expected)
                assert error < tolerance, (row, start)


def level(audio: torch.Tensor) -> float:
    return float(audio.square().mean().sqrt())


@pytest.mark.parametrize("speed", [0.5, 0.85, 1.15, 1.25])
@pytest.mark.parametrize("rate", [22_050, 24_000, 48_000])
def test_a_speed_shortens_and_raises(tmp_path: Path, speed: float, rate: int) -> None:
    one = written(tmp_path, {"one": 0.5 * tone(1_000, rate)}, rate)
    audio = whole(augmented(one, speeds=(speed,)), 0)
    assert len(audio) == int(np.ceil(round(RATE / speed, 6)))
    spectrum = torch.fft.rfft(audio * torch.hann_window(len(audio))).abs()
    peak = float(spectrum.argmax()) * RATE / len(audio)
    assert peak == pytest.approx(1_000 * speed, abs=RATE / len(audio))


def test_narrow_leaves_nothing_above_its_cut(tmp_path: Path) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(2 * RATE)
    one = written(tmp_path, {"one": noise})
    rates = set()
    for epoch in range(1, 24):
        reference = augmented(one, epoch, narrow=1.0)
        if (rate := reference._narrow_rate(one[0])) in rates:
            continue
        rates.add(rate)
        power = torch.fft.rfft(whole(reference, 0)).abs().square() / (0.01 * 2 * RATE)
        cut = rate  # in steps of half a hertz, where half of the rate is heard
        assert power[: cut // 2].mean() > 0.9
        assert power[round(1.2 * cut) :].mean() < 1e-3
    assert rates == set(NARROW_RATES)


def test_narrow_leaves_what_is_below_its_cut_in_place(tones: ManifestRows) -> None:
    """To the sample, and up to the ends of a slice."""
    low = next(row for row in range(2) if tones[row].utterance_id.endswith("low"))
    for epoch in range(1, 9):
        reference = augmented(tones, epoch, narrow=1.0)
        for start, stop in ((1_501, 2_200), (4_000, 9_001), (10_002, 10_100)):
            slice_ = reference.read(tones[low], start, stop)
            expected = Sources(RATE).read(tones[low], start, stop)
            assert (slice_ - expected).abs().max() < 0.005, (epoch, start)


def test_what_is_added_is_another_utterance_5_to_20_db_below(tones: ManifestRows) -> None:
    below = []
    for epoch in range(1, 60):
        audio = augmented(tones, epoch, mix=1.0).read(tones[0], 0, RATE)
        own, added = amplitude(audio, 500), amplitude(audio, 3_000)
        if added > 1e-4:  # else the one drawn is the utterance itself
            assert own == pytest.approx(0.25, rel=1e-3)
            below.append(20 * np.log10(own / added))
    low, high = MIX_DB
    assert len(below) > 15
    assert low - 0.01 < min(below) < low + 3
    assert high - 3 < max(below) < high + 0.01


def test_gains_fill_their_range(tones: ManifestRows) -> None:
    peaks = [
        float(augmented(tones, epoch, gain_db=6.0).read(tones[0], 0, RATE).max()) / 0.25
        for epoch in range(1, 60)
    ]
    gains = 20 * np.log10(peaks)
    assert -6.01 < min(gains) < -5
    assert 5 < max(gains) < 6.01


def test_nothing_leaves_full_scale(tmp_path: Path) -> None:
    loud = written(tmp_path, {str(hertz): 0.95 * tone(hertz, RATE) for hertz in (500, 700)})
    peaks = [
        float(whole(augmented(loud, epoch, **(MUCH | {"gain_db": 12.0})), row).abs().max())
        for epoch in range(1, 12)
        for row in range(2)
    ]
    assert max(peaks) == 1.0


@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("length", [3, 20, 60])
def test_what_is_encoded_is_what_is_compared_with(
    rows: ManifestRows, length: int, context: int
) -> None:
    settings = MUCH | {"narrow": 0.0}  # with which slices are those of the whole
    objective = Objective(SMALL_CODEC(), small_base(Path("none")))
    token = GEOMETRY.coarse_samples()
    for epoch in (1, 2):
        reference = augmented(rows, epoch, **settings)
        batch = segments(reference, epoch, length, context).batch(range(len(rows)))
        encoded, compared = objective._windows(batch)[:, 0], objective.references(batch)["24k"]
        for item in range(len(rows)):
            audio = whole(reference, item)
            tokens = -(-len(audio) // token)
            name = rows[item].utterance_id
            start = Draws.for_epoch(0, epoch).start(name, length, tokens)
            first = start - batch.offsets[item]
            assert batch.tokens[item] == min(length + 2 * context, tokens - first)
            valid = int(batch.valid[RATE][item])
            assert valid == min(len(audio) - start * token, length * token)
            own = audio[start * token :][:valid]
            assert (compared[item, :valid] - own).abs().max() < 1e-6
            offset = batch.offsets[item] * token
            assert encoded[item, offset : offset + length * token].equal(compared[item])


def test_validation_is_never_augmented(voices: Path, architecture: Path) -> None:
    much = {"augmentation__mix": "1", "augmentation__narrow": "1", "augmentation__speeds": "0.85"}
    recipe = small_base(architecture, **much)
    inputs = open_inputs(recipe, voices, manifest_of(voices))
    source = inputs.source(recipe)
    segments = segments_to_validate(recipe, inputs, 0.5)
    assert isinstance(source.dataset(replace(segments, split="train")).reference, Augmented)
    validation = source.dataset(segments)
    rate, length = inputs.model.geometry.sample_rate, inputs.model.geometry.coarse_tokens(0.5)
    for item in range(len(validation)):
        utterance = inputs.val.store[inputs.val.rows[item]]
        segment = validation[item]
        tokens = inputs.model.geometry.encoded_tokens(utterance.num_samples)[0]
        start = Draws.for_validation(0).start(utterance.utterance_id, length, tokens)
        span = inputs.model.geometry.sample_span(rate, start, length)
        assert segment.audio.equal(Sources(rate).read(utterance, span.start, span.stop))
