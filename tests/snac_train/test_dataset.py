"""The proof that an item's audio is exactly what its codes cover, through cache and dataset."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from training import LENGTHS, make_cache, positions_of, write_voice

from snac_cache.store.code_store import CodeStore
from snac_common.errors import Failure
from snac_model.audio.reading import resample
from snac_model.codec.snac import SNAC
from snac_train.data.dataset import SegmentDataset, Utterances
from snac_train.data.loading import Readers
from snac_train.data.reading import Segments, SegmentSource
from snac_train.data.references import Targets
from snac_train.data.segments import Batch, Segment
from snac_train.data.slices import Draws, in_order
from snac_train.recipe.load import load_recipe

TOKEN_SAMPLES = 8 * 8 * 4  # at 24 kHz, of the small codec: encoder rates 8 and 8, stride 4
CONTEXT = 3


def open_dataset(codes: Path, split: str, segment_tokens: int, draws: Draws) -> SegmentDataset:
    store = CodeStore(codes, split)
    utterances = Utterances(store, store.with_target())
    return SegmentDataset(
        utterances,
        Targets(),
        store.geometry,
        segment_tokens=segment_tokens,
        context=CONTEXT,
        draws=draws,
    )


def open_source(codes: Path) -> SegmentSource:
    stores = {split: CodeStore(codes, split) for split in ("train", "val")}
    return SegmentSource(
        {split: Utterances(store, store.with_target()) for split, store in stores.items()},
        Targets(),
        load_recipe(12).augmentation,
        stores["train"].geometry,
        CONTEXT,
    )


def all_segments(codes: Path) -> Iterator[tuple[Segment, int]]:
    """Segments of several lengths and epochs, with their lengths in coarse tokens."""
    for split in ("train", "val"):
        for segment_tokens in (1, 5, 40, 90):
            for epoch in range(1, 6):
                draws = Draws.for_epoch(0, epoch)
                dataset = open_dataset(codes, split, segment_tokens, draws)
                yield from ((dataset[item], segment_tokens) for item in range(len(dataset)))


def encode_file(base: SNAC, codes: Path, utterance_id: str) -> list[np.ndarray]:
    """Encode a whole file by other means than the cache: int64 ``[tokens]`` a level."""
    audio, rate = soundfile.read(codes.parent.parent / f"{utterance_id}.wav", dtype="float32")
    with torch.no_grad():
        levels = base.encode(resample(torch.from_numpy(audio), rate, 24_000)[None, None])
    return [level[0].numpy() for level in levels]


def codes_from(levels: list[np.ndarray], start: int, length: int) -> list[list[int]]:
    """Return ``length`` coarse tokens from coarse token ``start`` of codes at strides 4, 2, 1."""
    return [
        level[start * per_coarse : (start + length) * per_coarse].tolist()
        for level, per_coarse in zip(levels, (1, 2, 4), strict=True)
    ]


def test_audio_and_codes_of_every_segment_are_of_the_same_time(positions: Path, base: SNAC) -> None:
    encoded = {
        f"in/{split}/{frames}": encode_file(base, positions, f"in/{split}/{frames}")
        for split, lengths in LENGTHS.items()
        for frames in lengths
    }
    starts, ambiguous = [], 0
    for segment, tokens in all_segments(positions):
        whole = encoded[segment.utterance_id]
        margin = (len(segment.audio) - 2 * TOKEN_SAMPLES * tokens) // 2
        token, remainder = divmod(int(positions_of(segment.audio[margin])), 2 * TOKEN_SAMPLES)
        assert remainder == 0
        start = token - segment.offset
        window = codes_from([level.numpy() for level in segment.codes], 0, segment.tokens)
        assert window == codes_from(whole, start, segment.tokens)
        ambiguous += window == codes_from(whole, start + 1, segment.tokens)
        starts.append((segment.utterance_id, token))
    assert len(set(starts)) > 50
    assert ambiguous < len(starts) / 20  # where neighbours have equal codes nothing is proved


def test_every_own_sample_of_a_segment_is_the_files(positions: Path) -> None:
    for segment, tokens in all_segments(positions):
        margin = (len(segment.audio) - 2 * TOKEN_SAMPLES * tokens) // 2
        own = positions_of(segment.audio[margin : margin + segment.valid[48_000]])
        first = int(own[0])
        assert (own == np.arange(first, first + len(own))).all()
        frames = int(Path(segment.utterance_id).name)
        assert len(own) == min(2 * TOKEN_SAMPLES * tokens, frames - first)
        assert segment.valid[24_000] == -(-len(own) // 2)
        beyond = segment.audio[margin + frames - first :]
        assert not beyond.any()


def test_segments_are_the_same_whoever_reads_them(voices: Path) -> None:
    source = open_source(voices)
    segments = Segments("train", 20, Draws.for_epoch(3, 2))
    batches = in_order(np.arange(len(source.utterances["train"])), 4)
    readers = [Readers(source, workers) for workers in (0, 2)]
    for here, there in zip(*(each.read(segments, batches) for each in readers), strict=True):
        assert isinstance(here, Batch)
        assert isinstance(there, Batch)
        assert here.utterance_ids == there.utterance_ids
        assert here.audio.equal(there.audio)
        assert all(map(torch.equal, here.codes, there.codes))


@pytest.fixture
def one_voice(tmp_path: Path, small_codec: Path) -> Path:
    """Codes of one train and one val utterance whose files a test may change."""
    for split in ("train", "val"):
        write_voice(tmp_path / f"in/{split}/0.wav", 0.3, 0)
    return make_cache(tmp_path / "in", tmp_path / "artifacts", small_codec)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_target_that_was_replaced_is_named(one_voice: Path, workers: int) -> None:
    readers = Readers(open_source(one_voice), workers)
    write_voice(one_voice.parent.parent / "in/val/0.wav", 0.25, 0)
    segments = Segments("val", 20, Draws.for_validation(0))
    failure = next(readers.read(segments, [np.array([0])]))
    assert isinstance(failure, Failure)
    assert re.search(r"'in/val/0'.*12000 frames", str(failure))
    assert "Traceback" not in str(failure)


def test_a_target_that_is_gone_is_named(one_voice: Path) -> None:
    dataset = open_dataset(one_voice, "val", 20, Draws.for_validation(0))
    (one_voice.parent.parent / "in/val/0.wav").unlink()
    with pytest.raises(Failure, match=r"'in/val/0'.*no such file"):
        dataset[0]


def test_codes_of_another_length_are_refused(voices: Path) -> None:
    dataset = open_dataset(voices, "val", 20, Draws.for_validation(0))
    dataset.geometry = replace(dataset.geometry, hop_length=441)
    with pytest.raises(Failure, match=r"coarse tokens for .* samples, but its audio has"):
        dataset[0]
