"""snac-encode and snac-decode: every form of codes, there and back, and what cannot be used."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from models import NARROW, seeded
from workplace import last_line, query, run, snapshot, succeed, write_tone

from snac_cache import CodeStore
from snac_cache.cli.encode import main as encode_command
from snac_cache.convert.ahead import map_ahead
from snac_cache.convert.audio_out import to_pcm
from snac_cache.convert.formats import parse_line, to_json, to_text
from snac_cache.convert.live import decode_live
from snac_cache.convert.read import find_codes
from snac_cache.convert.utterance_decoder import PIECE, DecodeRequest, UtteranceDecoder
from snac_cache.convert.write import codes_writer
from snac_cache.schema import MANIFEST
from snac_cache.store.identity import CacheIdentity
from snac_model import ORPHEUS, DualHeadSNAC, load, save
from snac_model.layers.noise import SeededNoise
from snac_model.tokens.text import TokenReader

ENCODE, DECODE = "snac_cache.cli.encode", "snac_cache.cli.decode"
MODEL = ["--model", "builtin:speech-small", "--device", "cpu"]
SEED = ["--noise", "seed=1"]
FRAME = ORPHEUS.text([[1], [2, 3], [4, 5, 6, 7]])
FORMS = ["codes.parquet", "codes.jsonl", "codes.txt"]
# id, seconds, rate, channels: lengths that are whole multiples of nothing
FILES = [("a", 0.7111, 48000, 1), ("sub/b", 0.3, 44100, 2), ("sub/c", 0.5003, 16000, 1)]


@pytest.fixture(scope="module")
def speech_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("convert") / "in"
    for name, seconds, rate, channels in FILES:
        write_tone(folder / f"{name}.wav", seconds, rate, channels)
    return folder


@pytest.fixture(scope="module")
def codes(speech_folder: Path) -> Path:
    """A folder with the codes in every form."""
    folder = speech_folder.parent / "codes"
    for form in FORMS:
        made = succeed(ENCODE, speech_folder, "-o", folder / form, *MODEL)
        assert made["utterances"] == len(FILES)
    return folder


def frames(path: Path) -> tuple[int, int]:
    info = soundfile.info(path)
    return info.frames, info.samplerate


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_codes_are_those_of_the_model_and_equal_in_all_forms(
    codes: Path, speech_folder: Path
) -> None:
    table = pq.read_table(codes / "codes.parquet").to_pylist()
    assert table == rows(codes / "codes.jsonl")
    assert [row["utterance_id"] for row in table] == ["a", "sub/b", "sub/c"]
    model = load("builtin:speech-small")
    for row, line in zip(table, (codes / "codes.txt").read_text().splitlines(), strict=True):
        text = parse_line(line)
        assert text["utterance_id"] == row["utterance_id"]
        samples, rate = soundfile.read(row["audio_path"], dtype="float32", always_2d=True)
        assert (text["num_frames"], text["source_sample_rate"]) == (
            str(len(samples)),
            str(rate),
        )
        for level in range(3):
            assert text[f"codes_{level}"] == row[f"codes_{level}"]
        if rate == 24000:
            audio = torch.from_numpy(samples.mean(axis=1))[None, None]
            expected = model.encode(audio)
            assert [level[0].tolist() for level in expected] == [
                row[f"codes_{level}"] for level in range(3)
            ]


def test_codes_are_those_that_snac_cache_makes(codes: Path, speech_folder: Path) -> None:
    root = speech_folder.parent / "artifacts"
    options = ["--val-ratio", 0, "--min-duration", 0, "--artifacts", root]
    succeed("snac_cache.cli.manifest", speech_folder, *options)
    succeed("snac_cache.cli.cache", *MODEL, "--workers", 1, "--artifacts", root)
    columns = "utterance_id, num_samples, codes_0, codes_1, codes_2"
    select = f"SELECT {columns} FROM '{{}}' ORDER BY 1"
    cached = query(select.format(f"{root}/codes/train/*.parquet"))
    encoded = query(select.format(codes / "codes.parquet"))
    assert [(f"in/{row[0]}", *row[1:]) for row in encoded] == cached


def test_parquet_opens_as_a_part_of_a_cache(codes: Path, tmp_path: Path) -> None:
    part = tmp_path / "train" / "part-00000.parquet"
    part.parent.mkdir()
    part.write_bytes((codes / "codes.parquet").read_bytes())
    ids = pq.read_table(part)["utterance_id"].to_pylist()
    own = {"split": "train", "channels": 1}
    lines = [{**row, **own} for row in rows(codes / "codes.jsonl")]
    stated = [{name: row[name] for name in row if "codes" not in name} for row in lines]
    for row in stated:
        del row["num_samples"]
    manifest = tmp_path / "own.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in stated))
    store = CodeStore(tmp_path, "train", manifest)
    assert [item.utterance_id for item in store] == ids == ["a", "sub/b", "sub/c"]
    assert store.identity.model == "builtin:speech-small"


def test_every_form_decodes_to_the_same_files_of_exactly_the_inputs_length(
    codes: Path, tmp_path: Path
) -> None:
    for form in FORMS:
        made = succeed(DECODE, codes / form, "-o", tmp_path / form, *MODEL, *SEED)
        assert (made["utterances"], made["rejects"]) == (len(FILES), {})
    first, *others = (snapshot(tmp_path / form) for form in FORMS)
    assert first.keys() == {"a.wav", "sub/b.wav", "sub/c.wav"}
    assert all(other == first for other in others)
    for name, seconds, rate, _ in FILES:
        expected = -(-round(seconds * rate) * 24000 // rate)
        assert frames(tmp_path / FORMS[0] / f"{name}.wav") == (expected, 24000)


def test_audio_is_what_the_model_decodes(codes: Path, tmp_path: Path) -> None:
    succeed(DECODE, codes / "codes.jsonl", "-o", tmp_path, *MODEL, *SEED, "--format", "flac")
    model = load("builtin:speech-small")
    for row in rows(codes / "codes.jsonl"):
        levels = [torch.tensor(row[f"codes_{level}"])[None] for level in range(3)]
        with torch.inference_mode():
            whole = model.decode(levels, SeededNoise(1))[0, 0].numpy()
        written, _ = soundfile.read(tmp_path / f"{row['utterance_id']}.flac", dtype="int16")
        expected = to_pcm(whole)[: len(written)]
        assert np.abs(written.astype(int) - expected).max() <= 1


@pytest.fixture(scope="module")
def dual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dual-head model with the same tokens."""
    folder = tmp_path_factory.mktemp("dual")
    save(DualHeadSNAC.from_base(load("builtin:speech-small")), folder)
    return folder


def test_both_rates_have_the_inputs_length_each(codes: Path, dual: Path, tmp_path: Path) -> None:
    options = ["--model", dual, "--device", "cpu", *SEED]
    both = succeed(DECODE, codes / "codes.parquet", "-o", tmp_path, "--rate", "both", *options)
    assert both["rates"] == [24000, 48000]
    for name, seconds, rate, _ in FILES:
        for to in (24000, 48000):
            expected = -(-round(seconds * rate) * to // rate)
            assert frames(tmp_path / str(to) / f"{name}.wav") == (expected, to)
    single = tmp_path / "a.wav"
    chosen = ["--where", "utterance_id = 'a'", "--rate", 48000]
    succeed(DECODE, codes / "codes.parquet", "-o", single, *chosen, *options)
    assert single.read_bytes() == (tmp_path / "48000" / "a.wav").read_bytes()
    assert frames(single)[0] == round(0.7111 * 48000)


def test_workers_and_pieces_change_nothing(codes: Path, tmp_path: Path) -> None:
    for workers in (1, 3):
        options = ["--workers", workers, *MODEL, *SEED]
        succeed(DECODE, codes / "codes.jsonl", "-o", tmp_path / str(workers), *options)
        succeed(
            ENCODE, codes.parent / "in", "-o", tmp_path / f"{workers}.jsonl", *options[:2], *MODEL
        )
    assert snapshot(tmp_path / "1") == snapshot(tmp_path / "3")
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "3.jsonl").read_bytes()


def test_noise_off_and_seeds_repeat_themselves_and_random_does_not(
    codes: Path, tmp_path: Path
) -> None:
    def decoded(name: str, noise: str) -> dict[str, bytes]:
        options = ["-o", tmp_path / name, "--noise", noise, *MODEL]
        succeed(DECODE, codes / "codes.jsonl", *options)
        return snapshot(tmp_path / name)

    assert decoded("1", "off") == decoded("2", "off")
    assert decoded("3", "seed=1") == decoded("4", "seed=1") != decoded("5", "seed=2")
    assert decoded("6", "random") != decoded("7", "random")


def test_tokens_go_there_and_back(codes: Path, speech_folder: Path, tmp_path: Path) -> None:
    tokens, back = tmp_path / "tokens.txt", tmp_path / "out"
    succeed(ENCODE, speech_folder, "-o", tokens, "--tokens", "orpheus", *MODEL)
    table = rows(codes / "codes.jsonl")
    expected = [ORPHEUS.text([row[f"codes_{level}"] for level in range(3)]) for row in table]
    assert tokens.read_text().splitlines() == expected
    made = succeed(DECODE, tokens, "-o", back, "--tokens", "orpheus", *MODEL, *SEED)
    assert (made["utterances"], made["bad_tokens"]) == (len(FILES), 0)
    succeed(DECODE, codes / "codes.jsonl", "-o", tmp_path / "whole", *MODEL, *SEED)
    for number, row in enumerate(table, start=1):
        audio, _ = soundfile.read(back / f"line-{number:06d}.wav", dtype="int16")
        trimmed, _ = soundfile.read(
            tmp_path / "whole" / f"{row['utterance_id']}.wav", dtype="int16"
        )
        assert len(audio) == 2048 * len(row["codes_0"])
        assert np.array_equal(audio[: len(trimmed)], trimmed)


@pytest.mark.parametrize("how", [["-o", "tokens.jsonl"], ["-o", "tokens", "--format", "jsonl"]])
def test_tokens_in_json_lines_keep_id_and_length(
    codes: Path,
    speech_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    succeed(ENCODE, speech_folder, *how, "--tokens", "orpheus", *MODEL)
    for line, row in zip(rows(tmp_path / how[1]), rows(codes / "codes.jsonl"), strict=True):
        levels = [row.pop(f"codes_{level}") for level in range(3)]
        assert line == {**row, "tokens": ORPHEUS.text(levels)}
    given = ["--tokens", "orpheus", *MODEL, *SEED]
    succeed(DECODE, how[1], "-o", tmp_path / "there", *given)
    succeed(DECODE, codes / "codes.jsonl", "-o", tmp_path / "whole", *MODEL, *SEED)
    assert snapshot(tmp_path / "there") == snapshot(tmp_path / "whole")
    piped = ["-", "-o", tmp_path / "piped", *given]
    succeed(DECODE, *piped, stdin=(tmp_path / how[1]).read_text())
    assert snapshot(tmp_path / "piped") == snapshot(tmp_path / "whole")


def test_a_skipped_frame_of_a_json_line_leaves_the_rest_without_its_length(tmp_path: Path) -> None:
    lines = [
        {"utterance_id": "bad", "num_samples": 4000, "tokens": f"<custom_token_9>{FRAME}"},
        {"utterance_id": "no tokens"},
        {"utterance_id": "good", "num_samples": 1500, "tokens": FRAME},
    ]
    path = tmp_path / "tokens.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    options = ["--tokens", "orpheus", *MODEL, *SEED, "--max-reject-rate", 1]
    stopped = run(DECODE, path, "-o", tmp_path / "out", *options)
    assert stopped.exit_code == 1
    assert "line 1, column 1, token 1: 9 is out of range" in stopped.stderr
    skip = ["--on-bad-token", "skip-frame"]
    done = succeed(DECODE, path, "-o", tmp_path / "out", *options, *skip)
    assert (done["utterances"], done["bad_tokens"], done["rejects"]) == (2, 1, {"bad_line": 1})
    assert frames(tmp_path / "out/bad.wav") == (2048, 24000)
    assert frames(tmp_path / "out/good.wav") == (1500, 24000)


def test_bad_tokens_stop_or_are_skipped(tmp_path: Path) -> None:
    text = f"{FRAME}{FRAME}\n{FRAME}oh<custom_token_3>{FRAME}\n"
    options = ["--tokens", "orpheus", *MODEL, *SEED]
    stopped = run(DECODE, "-", "-o", tmp_path / "1", *options, stdin=text)
    assert stopped.exit_code == 1
    place = f"line 2, column {len(FRAME) + 1}, token 8: text in between: 'oh'"
    assert place in stopped.stderr
    options += ["--on-bad-token", "skip-frame"]
    skipped = run(DECODE, "-", "-o", tmp_path / "2", *options, stdin=text)
    assert (skipped.exit_code, last_line(skipped)["bad_tokens"]) == (0, 1)
    assert place in skipped.stderr
    first, second = snapshot(tmp_path / "2").values()
    assert first == second


def test_rejects_are_recorded_and_counted(codes: Path, tmp_path: Path) -> None:
    good = rows(codes / "codes.jsonl")[0]
    changes: list[dict[str, Any]] = [
        {"utterance_id": "short", "codes_0": good["codes_0"][:-1]},
        {"utterance_id": "large", "codes_0": [4096, *good["codes_0"][1:]]},
        {"utterance_id": "length", "num_frames": good["num_frames"] + 48000},
        {"utterance_id": "none", "codes_1": None},
        {"utterance_id": "half", "codes_0": [12.5, *good["codes_0"][1:]]},
        {"utterance_id": "../out"},
        {"utterance_id": "a"},
    ]
    lines = [to_json({**good, **change}) for change in [{}, *changes]]
    text = "\n".join([*lines, "no codes at all", "{"]) + "\n"
    out = tmp_path / "out"
    refused = run(DECODE, "-", "-o", out, *MODEL, *SEED, stdin=text)
    assert refused.exit_code == 1
    assert "9 of 10 inputs were rejected" in refused.stderr
    reasons = {"bad_codes": 5, "bad_name": 1, "duplicate_id": 1, "bad_line": 2}
    assert last_line(refused)["rejects"] == reasons
    recorded = rows(tmp_path / "out.rejects.jsonl")
    names = ["short", "large", "length", "none", "half"]
    assert [row["utterance_id"] for row in recorded][:5] == names
    assert all(row["stage"] == "decode" and row["detail"] for row in recorded)
    assert snapshot(tmp_path).keys() == {"out/a.wav", "out.rejects.jsonl"}
    allowed = ["--max-reject-rate", 1]
    assert run(DECODE, "-", "-o", out, *MODEL, *SEED, *allowed, stdin=text).exit_code == 0
    assert run(DECODE, "-", "-o", out, *MODEL, *SEED, stdin=lines[0]).exit_code == 0
    assert not (tmp_path / "out.rejects.jsonl").exists()


def test_bad_audio_is_rejected_and_the_rest_encoded(speech_folder: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF and no more")
    output = tmp_path / "codes.jsonl"
    sources = [speech_folder / "a.wav", bad]
    refused = run(ENCODE, *sources, "-o", output, *MODEL)
    assert refused.exit_code == 1
    assert last_line(refused)["rejects"] == {"unreadable": 1}
    (left_out,) = rows(tmp_path / "codes.jsonl.rejects.jsonl")
    assert (left_out["audio_path"], left_out["reason"]) == (str(bad), "unreadable")
    assert len(rows(output)) == 1


def test_files_beside_each_other_keep_their_paths_as_ids(speech_folder: Path) -> None:
    sources = [speech_folder / "a.wav", speech_folder / "sub" / "c.wav"]
    made = run(ENCODE, *sources, "-o", "-", *MODEL)
    ids = [json.loads(line)["utterance_id"] for line in made.stdout.splitlines()]
    assert ids == [str(source.with_suffix("")).lstrip("/") for source in sources]


def test_standard_input_is_named_as_it_was_given(codes: Path, speech_folder: Path) -> None:
    audio = (speech_folder / "a.wav").read_bytes()
    made = CliRunner().invoke(encode_command, ["-", "-o", "-", *MODEL], input=audio)
    (row,) = map(json.loads, made.stdout.splitlines())
    names = {"utterance_id": "stdin", "audio_path": "-"}
    assert row == {**rows(codes / "codes.jsonl")[0], **names}
    beside = run(ENCODE, "-", speech_folder, "-o", "-", *MODEL)
    assert (beside.exit_code, "by itself" in beside.stderr) == (2, True)


def test_codes_of_another_tokenizer_are_refused(codes: Path, tmp_path: Path) -> None:
    save(seeded(NARROW["24k"]), tmp_path / "other")
    options = ["--model", tmp_path / "other", "--device", "cpu", "-o", tmp_path / "out"]
    refused = run(DECODE, codes / "codes.parquet", *options)
    assert refused.exit_code == 1
    assert "codes of another model, builtin:speech-small" in refused.stderr


REFUSED = {
    "no such rate": (["--rate", "48000"], "decodes to 24000 Hz"),
    "where on lines": (["--where", "true"], "--where selects rows of parquet"),
    "stream to a file": (["--stream"], "give -o -"),
    "look ahead": (["--look-ahead", "1"], "goes with --stream"),
    "noise": (["--noise", "loud"], "write random, off or seed=N"),
    "layout": (["--tokens", "nonsense"], "there is no token layout nonsense"),
}


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_go_together_is_a_usage_error(
    codes: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    refused = run(DECODE, codes / "codes.jsonl", "-o", tmp_path / "out", *MODEL, *options)
    assert refused.exit_code == 2
    assert message in refused.stderr


def test_a_wrong_condition_is_a_usage_error(codes: Path, tmp_path: Path) -> None:
    options = ["-o", tmp_path / "out", *MODEL, "--where", "nonsense > 1"]
    refused = run(DECODE, codes / "codes.parquet", *options)
    assert refused.exit_code == 2
    assert "nonsense" in refused.stderr


def test_several_utterances_do_not_fit_in_one_file(codes: Path, tmp_path: Path) -> None:
    refused = run(DECODE, codes / "codes.jsonl", "-o", tmp_path / "one.wav", *MODEL)
    assert refused.exit_code == 2
    assert "give a folder" in refused.stderr


@pytest.mark.parametrize(
    ("output", "options"),
    [
        ("-", ["--format", "parquet"]),
        ("codes.unknown", []),
        ("-", ["--format", "parquet", "--tokens", "orpheus"]),
        ("codes.parquet", ["--tokens", "orpheus"]),
    ],
)
def test_a_format_that_cannot_be_is_a_usage_error(
    speech_folder: Path, output: str, options: list[str]
) -> None:
    assert run(ENCODE, speech_folder, "-o", output, *options, *MODEL).exit_code == 2


def test_local_attention_decodes_whole_and_does_not_stream(
    speech_folder: Path, tmp_path: Path
) -> None:
    save(seeded(NARROW["32k"]), tmp_path / "model")
    options = ["--model", tmp_path / "model", "--device", "cpu"]
    lines = tmp_path / "codes.jsonl"
    succeed(ENCODE, speech_folder, "-o", lines, *options)
    succeed(DECODE, lines, "-o", tmp_path / "out", *options, "--noise", "off")
    assert frames(tmp_path / "out" / "sub" / "c.wav") == (-(-8005 * 2), 32000)
    refused = run(DECODE, lines, "--stream", "-o", "-", *options)
    assert refused.exit_code == 1
    assert "local attention" in refused.stderr


ids = st.text(st.characters(exclude_characters="\t\r\n", exclude_categories=["Cs"]))
tokens = st.lists(st.integers(0, 65535), min_size=1, max_size=5)


@given(ids | ids.map("{{{}".format) | ids.map('{{"{}": 1}}'.format), tokens, tokens)
def test_lines_go_there_and_back(name: str, coarse: list[int], fine: list[int]) -> None:
    row: dict[str, Any] = dict.fromkeys(MANIFEST.names)
    row |= {"utterance_id": name, "num_frames": 5, "source_sample_rate": 8000}
    row |= {"codes_0": coarse, "codes_1": fine}
    assert parse_line(to_json(row)) == row
    back = parse_line(to_text(row, 2))
    assert (back["utterance_id"], back["codes_0"], back["codes_1"]) == (name, coarse, fine)


@pytest.mark.parametrize(
    "line", ["{", '{"codes_0": [1,', "{}x", "no codes", "a\t1\t2", "{" * 9_999]
)
def test_a_line_that_is_no_row_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_line(line)


def test_of_a_cache_the_records_are_left_out_whatever_folder_it_lies_in(
    codes: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "rejects" / "codes"
    records = ("rejects/train-part-00000.parquet", "plan/train.parquet", "rejects.parquet")
    for name in ("train/part-00000.parquet", *records):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(codes / "codes.parquet", folder / name)
    assert find_codes([str(folder)]) == [folder / "train" / "part-00000.parquet"]


def test_parquet_has_few_row_groups(codes: Path, tmp_path: Path) -> None:
    for number in range(20):
        write_tone(tmp_path / "in" / f"{number}.wav", 0.1)
    succeed(ENCODE, tmp_path / "in", "-o", tmp_path / "codes.parquet", *MODEL)
    assert pq.read_metadata(tmp_path / "codes.parquet").num_row_groups == 1


def test_row_groups_are_bounded_by_rows_and_by_bytes(
    codes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = pq.read_table(codes / "codes.parquet")
    identity = CacheIdentity.from_metadata(few.schema.metadata)
    rows = pa.concat_tables([few] * 32).combine_chunks()  # 96 of them

    def groups(name: str) -> list[int]:
        with codes_writer(str(tmp_path / name), "parquet", None, identity) as write:
            for _ in range(100):
                write(rows)
        written = pq.read_metadata(tmp_path / name)
        return [written.row_group(n).num_rows for n in range(written.num_row_groups)]

    assert groups("by rows.parquet") == [4128, 4128, 1344]
    monkeypatch.setattr("snac_cache.convert.write.BYTES_IN_GROUP", 10 * rows.nbytes)
    assert groups("by bytes.parquet") == [960] * 10


def test_parquet_without_rows_is_parquet(codes: Path, tmp_path: Path) -> None:
    metadata = pq.read_metadata(codes / "codes.parquet").metadata
    identity = CacheIdentity.from_metadata(metadata)
    with codes_writer(str(tmp_path / "none.parquet"), "parquet", None, identity):
        pass
    assert pq.read_table(tmp_path / "none.parquet").num_rows == 0


def test_damaged_parquet_is_a_message_that_names_it(codes: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.parquet"
    content = bytearray((codes / "codes.parquet").read_bytes())
    content[4:1000] = bytes(996)
    damaged.write_bytes(content)
    stopped = run(DECODE, damaged, "-o", tmp_path / "out", *MODEL)
    assert stopped.exit_code == 1
    assert stopped.stderr.splitlines()[-1].startswith("error: ")
    assert str(damaged) in stopped.stderr


def test_killed_encodings_are_cleared_away(speech_folder: Path, tmp_path: Path) -> None:
    left = tmp_path / ".codes.jsonl-abcdefgh.partial"
    left.touch()
    os.utime(left, (0, 0))
    rejects = ["--rejects", tmp_path / "rejects" / "of mine.jsonl"]
    succeed(ENCODE, speech_folder / "a.wav", "-o", tmp_path / "codes.jsonl", *MODEL, *rejects)
    assert snapshot(tmp_path).keys() == {"codes.jsonl"}


@given(st.integers(0, 30), st.integers(1, 4))
def test_threads_keep_the_order_and_take_no_more_than_they_need(items: int, threads: int) -> None:
    taken: list[int] = []
    source = (taken.append(item) or item for item in range(items))  # type: ignore[func-returns-value]
    done = 0
    for result in map_ahead(lambda item: -item, source, threads):
        assert result == -done
        done += 1
        assert len(taken) <= done + threads
    assert done == items


def test_a_long_utterance_is_decoded_in_small_pieces() -> None:
    model = seeded(NARROW["24k"]).fold_weight_norm()
    request = DecodeRequest(rates=(24000,), noise="off", device="cpu", threads=1)
    codes = [np.zeros((1, 90 * count), np.int64) for count in model.geometry.tokens_per_coarse]
    lengths = [audio[24000].shape[-1] for audio in UtteranceDecoder(model, request).pieces(codes)]
    assert sum(lengths) == model.geometry.sample_span(24000, 0, 90).stop
    context = model.geometry.context_tokens
    assert max(lengths) <= model.geometry.sample_span(24000, 0, max(PIECE["cpu"], context)).stop


class Trickle:
    """Standard input on which a frame of tokens comes at a time."""

    def __init__(self, frames: int, before_reading: Callable[[int], None]) -> None:
        self.buffer = self
        self.frames = frames
        self.read = 0
        self.before_reading = before_reading

    def read1(self, size: int) -> bytes:
        self.before_reading(self.read)
        self.read += 1
        return FRAME.encode() if self.read <= self.frames else b""


def test_live_tokens_are_played_before_more_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a slow player holds the writer of the tokens back, and nothing piles up."""
    model = load("builtin:speech-small")
    geometry = model.geometry
    written = 0

    def write(samples: np.ndarray) -> None:
        nonlocal written
        written += len(samples)

    def all_that_is_final_was_written(frames: int) -> None:
        final = max(0, frames - geometry.context_tokens)
        assert geometry.sample_span(24000, 0, final).stop <= written

    monkeypatch.setattr("sys.stdin", Trickle(9, all_that_is_final_was_written))
    request = DecodeRequest((24000,), noise="off", device="cpu", threads=1, stream=True)
    done = decode_live(
        model, request, Path("-"), TokenReader(ORPHEUS), write, seconds_done=lambda seconds: None
    )
    assert done.utterances == 1
    assert written == geometry.sample_span(24000, 0, 9).stop


def test_folders_that_would_be_splits_are_encoded_whole(tmp_path: Path) -> None:
    for name in ("train/a", "val/b", "test/c", "d"):
        write_tone(tmp_path / "in" / f"{name}.wav", 0.5)
    made = run(ENCODE, tmp_path / "in", "-o", "-", *MODEL)
    assert made.exit_code == 0
    ids = [json.loads(line)["utterance_id"] for line in made.stdout.splitlines()]
    assert sorted(ids) == ["d", "test/c", "train/a", "val/b"]


def test_decoding_is_in_float32_on_a_gpu_too(
    codes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left alone, cuDNN would round the inputs of convolutions to ten bits."""
    seen = []
    decode = UtteranceDecoder.decode

    def look(self: UtteranceDecoder, *arguments: Any) -> Any:
        seen.append(torch.backends.cudnn.allow_tf32)
        return decode(self, *arguments)

    monkeypatch.setattr(UtteranceDecoder, "decode", look)
    succeed(DECODE, codes / "codes.parquet", "-o", tmp_path / "out", *MODEL)
    assert set(seen) == {False}


def test_audio_in_the_place_of_codes_is_one_message(speech_folder: Path, tmp_path: Path) -> None:
    for name in ("a.wav", "a.flac", "a.ogg", "a.mp3"):
        samples, rate = soundfile.read(speech_folder / "a.wav")
        soundfile.write(tmp_path / name, samples, rate)
        for options in ([], ["--tokens", "orpheus"]):
            refused = run(DECODE, tmp_path / name, "-o", tmp_path / "out", *MODEL, *options)
            assert refused.exit_code == 2
            assert f"{name} is audio" in refused.stderr
            assert "snac-encode makes codes of it" in refused.stderr
    assert not (tmp_path / "out").exists()


def test_tokens_without_their_option_say_which_one(tmp_path: Path) -> None:
    refused = run(DECODE, "-", "-o", tmp_path / "out", *MODEL, stdin=f"{FRAME}\n")
    assert refused.exit_code == 2
    assert "--tokens orpheus" in refused.stderr


@pytest.mark.parametrize("name", ["x.mp3", "x.OGG", "x.m4a", "x.raw"])
def test_a_kind_of_audio_that_is_not_written_is_no_folder(
    codes: Path, tmp_path: Path, name: str
) -> None:
    refused = run(DECODE, codes / "codes.jsonl", "-o", tmp_path / name, *MODEL)
    assert refused.exit_code == 2
    assert "writes wav and flac files, and raw 16-bit samples to -o -" in refused.stderr
    assert not (tmp_path / name).exists()


def test_a_folder_may_have_a_point_in_its_name(codes: Path, tmp_path: Path) -> None:
    (tmp_path / "own.mp3").mkdir()
    for name in ("v1.2", "own.mp3"):
        succeed(DECODE, codes / "codes.jsonl", "-o", tmp_path / name, *MODEL)
        assert (tmp_path / name / "a.wav").is_file()


def test_audio_that_cannot_be_read_says_how_to_convert_it(tmp_path: Path) -> None:
    (tmp_path / "memo.m4a").write_bytes(bytes([0, 0, 0, 32]) + b"ftypM4A " + bytes(100))
    refused = run(ENCODE, tmp_path / "memo.m4a", "-o", tmp_path / "codes.jsonl", *MODEL)
    assert refused.exit_code == 2
    assert "1 file of another format (.m4a): convert with ffmpeg" in refused.stderr


def test_a_runs_name_is_a_model(
    codes: Path, dual: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(dual, tmp_path / "runs/first/best")
    (tmp_path / "runs/first/recipe.toml").touch()
    monkeypatch.setenv("SNAC_ARTIFACTS", str(tmp_path))
    options = ["--device", "cpu", "--rate", "both", "-o", tmp_path / "out"]
    succeed(DECODE, codes / "codes.jsonl", "--model", "first", *options)
    assert (tmp_path / "out/48000/a.wav").is_file()
    refused = run(DECODE, codes / "codes.jsonl", "--model", "frist", *options)
    assert refused.exit_code == 1
    assert "no model frist" in refused.stderr
    assert "the name or folder of a run (first)" in refused.stderr
    (tmp_path / "runs/young").mkdir()
    (tmp_path / "runs/young/recipe.toml").touch()
    refused = run(DECODE, codes / "codes.jsonl", "--model", "young", *options)
    assert "has no best model yet" in refused.stderr


def test_progress_moves_within_a_long_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snac_common.progress.SECONDS_BETWEEN_LINES", 0.0)
    write_tone(tmp_path / "in/long.wav", 45.0, 8000)
    write_tone(tmp_path / "in/short.wav", 2.5, 8000)
    save(seeded(NARROW["24k"]), tmp_path / "model")
    options = ["--model", tmp_path / "model", "--device", "cpu", "--workers", 1]
    encoded = run(ENCODE, tmp_path / "in", "-o", tmp_path / "codes.jsonl", *options)
    counts = [int(line.split()[1].split("/")[0]) for line in lines_of(encoded, "encode: ")]
    assert len(counts) > 8
    assert counts == sorted(counts)
    assert counts[-1] == 47
    assert all("/47 s of audio" in line for line in lines_of(encoded, "encode: "))
    decoded = run(DECODE, tmp_path / "codes.jsonl", "-o", tmp_path / "out", *options)
    assert len(lines_of(decoded, "decode: ")) > 8
    assert "decode: 47 s of audio" in decoded.stderr


def lines_of(result: Any, start: str) -> list[str]:
    return [line for line in result.stderr.splitlines() if line.startswith(start)]
