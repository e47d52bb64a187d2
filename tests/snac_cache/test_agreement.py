"""How far a cache's tokens are those of one file by itself: a sample of every cache says so."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from workplace import query, succeed, write_tone

from snac_cache.encoding import agreement
from snac_cache.encoding.agreement import measure, sample
from snac_cache.encoding.encoder import UtteranceEncoder
from snac_cache.encoding.stream import Utterance, encode_stream
from snac_cache.store.records import Agreement, Encoded
from snac_cache.work.plan import Part
from snac_model import load

CACHE = "snac_cache.cli.cache"
PART = Part("train", 0, 10, "")


@pytest.fixture
def encoder(model_folder: Path) -> UtteranceEncoder:
    return UtteranceEncoder(load(model_folder), torch.device("cpu"))


def encoded(encoder: UtteranceEncoder, rows: list[dict[str, object]]) -> dict[int, Encoded]:
    utterances = [Utterance(position, row) for position, row in enumerate(rows)]
    results = dict(encode_stream(encoder, [utterances], 1))
    return {key: value for key, value in results.items() if isinstance(value, Encoded)}


def test_the_choice_depends_on_the_ids_alone() -> None:
    ids = {position: f"speaker/{position:05}" for position in range(4096)}
    chosen = {ids[position] for position in sample(PART, ids)}
    shuffled = dict(enumerate(reversed(ids.values())))
    assert {shuffled[position] for position in sample(PART, shuffled)} == chosen
    assert 1 <= len(chosen) <= 16


def test_the_first_parts_are_compared_however_small_and_later_ones_at_little_cost() -> None:
    numbered = [replace(PART, number=number) for number in range(1000)]
    ids = [{0: f"{number}/a", 1: f"{number}/b"} for number in range(1000)]
    sizes = [len(sample(part, names)) for part, names in zip(numbered, ids, strict=True)]
    assert all(sizes[: agreement.FIRST_PARTS])
    assert sum(sizes[agreement.FIRST_PARTS :]) < 10
    assert sample(PART, {}) == []


def test_every_token_that_differs_is_counted(
    encoder: UtteranceEncoder, manifest_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreement, "ONE_OF", 1)
    rows = pq.read_table(manifest_folder / "train.parquet").to_pylist()[:4]
    codes = encoded(encoder, rows)
    tokens = sum(len(level) for one in codes.values() for level in one.codes)
    assert measure(encoder, PART, rows, codes) == Agreement(tokens, tokens)
    codes[1].codes[0][:2] ^= 1
    codes[2].codes[2][-1:] ^= 1
    assert measure(encoder, PART, rows, codes) == Agreement(tokens - 3, tokens)


def test_of_a_long_utterance_the_beginning_is_compared(
    encoder: UtteranceEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreement, "LONGEST_SECONDS", 4.0)
    monkeypatch.setattr(agreement, "UNSURE_SECONDS", 1.0)
    write_tone(tmp_path / "in" / "long.wav", 9.0, 44100)
    succeed("snac_cache.cli.manifest", tmp_path / "in", "-o", tmp_path / "m", "--val-ratio", 0)
    rows = pq.read_table(tmp_path / "m" / "train.parquet").to_pylist()
    codes = encoded(encoder, rows)
    found = measure(encoder, PART, rows, codes)
    assert found == Agreement(35 * 7, 35 * 7)  # 3 s are 35 coarse tokens, 7 tokens each
    codes[0].codes[0][34] ^= 1
    codes[0].codes[0][35:] ^= 1  # not compared
    assert measure(encoder, PART, rows, codes).equal == found.equal - 1


def test_the_comparison_takes_the_threads_that_torch_takes_by_itself(
    encoder: UtteranceEncoder, manifest_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreement, "DEFAULT_THREADS", 3)
    seen: list[int] = []
    encoder.model.encoder.register_forward_pre_hook(lambda *_: seen.append(torch.get_num_threads()))
    rows = pq.read_table(manifest_folder / "train.parquet").to_pylist()[:2]
    codes = encoded(encoder, rows)
    before = torch.get_num_threads()
    measure(encoder, PART, rows, codes)
    assert seen == [before, before, 3]
    assert torch.get_num_threads() == before


def test_a_cache_made_on_a_processor_says_how_many_tokens_were_compared(
    tmp_path: Path, model_folder: Path, manifest_folder: Path
) -> None:
    options = ["--model", model_folder, "--manifest", manifest_folder, "--codes", tmp_path]
    cached = succeed(CACHE, *options, "--device", "cpu", "--workers", 1, "--part-rows", 3)
    assert cached["token_agreement"] == 1
    ((compared,),) = query(f"SELECT tokens_compared FROM '{tmp_path}/cache.json'")
    assert compared > 100
