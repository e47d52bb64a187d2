"""snac-tokens: cached codes and their texts as rows that a language model trains on."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import snac
import soundfile
import torch
from made_cache import write_cache
from toy_tokenizer import text_ids, write_tokenizer
from workplace import last_line, query, run, snapshot, succeed, write_tone

from snac_model import load

TOKENS, CACHE, MANIFEST = (f"snac_cache.cli.{name}" for name in ("tokens", "cache", "manifest"))
UPSAMPLE, DECODE = "snac_cache.cli.upsample", "snac_cache.cli.decode"
BUILTIN = "builtin:speech-small"
MODEL = ["--model", BUILTIN, "--device", "cpu"]
# for the codes of ``made_cache``, whose codebooks have 16
LAYOUT = """
order = [0, 1, 2, 2, 1, 2, 2]
offset = 10
codebook_size = 16
id_offset = 1000

[prompt]
before_text = [2001]
after_text = [2002, 2003]
after_codes = [2004]
pad = 2005
"""


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("language") / "model")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact root with a cache of 65 utterances, and a token layout for it."""
    root = tmp_path_factory.mktemp("made")
    write_cache(root)
    (root / "layout.toml").write_text(LAYOUT)
    return root


def options(root: Path, folder: Path, *more: object) -> list[object]:
    return [*("--artifacts", root, "-o", folder, "--tokens", root / "layout.toml"), *more]


def rows_of(folder: Path, split: str = "train") -> list[dict[str, Any]]:
    files = sorted((folder / split).glob("*.parquet"))
    rows: list[dict[str, Any]] = pa.concat_tables(map(pq.read_table, files)).to_pylist()
    return rows


def codes_of(root: Path) -> dict[str, list[list[int]]]:
    found = query(
        f"SELECT utterance_id, codes_0, codes_1, codes_2 FROM '{root}/codes/*/part-*.parquet'"
    )
    return {name: list(levels) for name, *levels in found}


def notebook_ids(codes: list[list[int]], first: int, size: int) -> list[int]:
    """Return the ids of codes, written out frame by frame as Orpheus's notebooks have them."""
    c0, c1, c2 = codes
    ids = []
    for i in range(len(c0)):
        ids.append(c0[i] + first)
        ids.append(c1[2 * i] + first + size)
        ids.append(c2[4 * i] + first + 2 * size)
        ids.append(c2[4 * i + 1] + first + 3 * size)
        ids.append(c1[2 * i + 1] + first + 4 * size)
        ids.append(c2[4 * i + 2] + first + 5 * size)
        ids.append(c2[4 * i + 3] + first + 6 * size)
    return ids


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact root: 50 short utterances with text and speaker, targets, and their codes.

    Eight of them came later than the others, and were appended.
    """
    root = tmp_path_factory.mktemp("spoken")
    for number in range(50):
        write_tone(root / f"in/{number:02}.wav", 0.1 + 0.011 * number, 24000)
    everything = root / "manifests"
    scanned = ["--val-ratio", 0.2, "--min-duration", 0, "--artifacts", root]
    succeed(MANIFEST, root / "in", *scanned)
    for late in (8, 0):
        with_texts(everything, root / "now", late)
        places = ["--artifacts", root, "--manifest", root / "now"]
        upsampled = ["--engine", "resample", "--device", "cpu", "--workers", 1]
        succeed(UPSAMPLE, *places, *upsampled)
        append = [] if late else ["--append"]
        succeed(CACHE, *places, *MODEL, "--workers", 1, "--part-rows", 7, *append)
    return root


def with_texts(source: Path, folder: Path, left_out: int) -> None:
    """Write a manifest with text and speaker, without the last few utterances of train."""
    folder.mkdir(exist_ok=True)
    for split in ("train", "val"):
        table = pq.read_table(source / f"{split}.parquet")
        names = table["utterance_id"].to_pylist()
        texts = [f"You hear {name}, \u00e9 \u0928." for name in names]
        table = table.append_column("text", pa.array(texts))
        table = table.append_column("speaker", pa.array([f"s{len(name) % 2}" for name in names]))
        kept = table.num_rows - left_out if split == "train" else table.num_rows
        pq.write_table(table.slice(0, kept), folder / f"{split}.parquet")


def stated_in(root: Path) -> str:
    """The manifest, as what can follow FROM."""
    return f"read_parquet(['{root}/now/train.parquet', '{root}/now/val.parquet'])"


def official() -> snac.SNAC:
    """The official package's codec, with the weights of the small one."""
    ours = load(BUILTIN)
    theirs = snac.SNAC(**ours.config.to_dict()).eval()
    theirs.load_state_dict(ours.state_dict())
    return theirs


def test_ids_are_those_of_the_notebook_on_codes_of_the_official_package(
    spoken: Path, tokenizer: Path, tmp_path: Path
) -> None:
    places = ["--artifacts", spoken, "--manifest", spoken / "now", "-o", tmp_path / "rows"]
    prompt = ["--prompt", "{speaker}: {text}"]
    said = succeed(TOKENS, *places, "--tokenizer", tokenizer, *prompt)
    assert said["utterances"]["train"] + said["utterances"]["val"] == 50
    manifest = query(f"SELECT utterance_id, audio_path, speaker, text FROM {stated_in(spoken)}")
    rows = rows_of(tmp_path / "rows") + rows_of(tmp_path / "rows", "validation")
    by_id = {row["utterance_id"]: row for row in rows}
    model = official()
    for name, path, speaker, text in manifest:
        audio = torch.from_numpy(soundfile.read(path, dtype="float32")[0])[None, None]
        with torch.inference_mode():
            codes = [level[0].tolist() for level in model.encode(audio)]
        expected = [128259, *text_ids(f"{speaker}: {text}"), 128009, 128260, 128261, 128257]
        expected += [*notebook_ids(codes, 128266, 4096), 128258, 128262]
        row = by_id[name]
        assert row["input_ids"] == row["labels"] == expected
        assert row["attention_mask"] == [1] * len(expected)


def test_text_and_speaker_come_through_targets_cache_and_append(
    spoken: Path, tmp_path: Path
) -> None:
    places = ["--artifacts", spoken, "--manifest", spoken / "now", "-o", tmp_path / "rows"]
    succeed(TOKENS, *places)
    rows = rows_of(tmp_path / "rows") + rows_of(tmp_path / "rows", "validation")
    stated = query(f"SELECT utterance_id, text, speaker FROM {stated_in(spoken)} ORDER BY 1")
    assert stated == sorted((row["utterance_id"], row["text"], row["speaker"]) for row in rows)
    codes = codes_of(spoken)
    assert all(
        row["codes_list"] == notebook_ids(codes[row["utterance_id"]], 128266, 4096) for row in rows
    )


@pytest.mark.parametrize("form", ["texts", "rows", "packed"])
def test_decode_gives_the_codes_back(
    spoken: Path, tokenizer: Path, tmp_path: Path, form: str
) -> None:
    places = ["--artifacts", spoken, "--manifest", spoken / "now"]
    more = {"texts": [], "rows": ["--tokenizer", tokenizer]}
    more["packed"] = [*more["rows"], "--pack", 512]
    succeed(TOKENS, *places, "-o", tmp_path / "rows", *more[form])
    decoded = ["--tokens", "orpheus", "--noise", "off", *MODEL]
    done = succeed(DECODE, tmp_path / "rows/validation", "-o", tmp_path / "back", *decoded)
    codes = {name: levels for name, levels in codes_of(spoken).items() if is_val(spoken, name)}
    assert done["utterances"] == len(codes)
    lines = [
        json.dumps({"utterance_id": name} | {f"codes_{n}": level for n, level in enumerate(levels)})
        for name, levels in codes.items()
    ]
    (tmp_path / "codes.jsonl").write_text("\n".join(lines))
    succeed(DECODE, tmp_path / "codes.jsonl", "-o", tmp_path / "there", *decoded[2:])
    assert snapshot(tmp_path / "back") == snapshot(tmp_path / "there")


def test_what_is_not_encoded_yet_is_said(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "made")
    part = max((tmp_path / "made/codes/train").glob("part-*.parquet"))
    rows = pq.read_metadata(part).num_rows
    part.unlink()
    result = run(TOKENS, *options(tmp_path / "made", tmp_path / "rows"))
    assert last_line(result)["not_encoded"] == rows
    said = " ".join(result.stderr.split())
    assert f"warning: {rows} utterances of the cache are not encoded yet" in said


COLUMNS = {
    "no name": ({"input_ids": [[1]]}, "row-000001"),
    "text for ids": ({"utterance_id": ["a"], "input_ids": ["seven"]}, "a"),
    "lengths that do not fit": (
        {"utterance_ids": [["a", "b"]], "seq_lengths": [[7]], "codes_list": [[1] * 7]},
        "row-000001",
    ),
}


@pytest.mark.parametrize(("columns", "name"), COLUMNS.values(), ids=COLUMNS)
def test_rows_of_others_are_rejected_one_by_one(
    tmp_path: Path, columns: dict[str, Any], name: str
) -> None:
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    decoded = ["--tokens", "orpheus", *MODEL, "-o", tmp_path / "out", "--max-reject-rate", 1]
    result = run(DECODE, tmp_path / "rows.parquet", *decoded)
    assert last_line(result)["rejects"] == {"bad_codes": 1}
    (reject,) = (tmp_path / "out.rejects.jsonl").read_text().splitlines()
    assert json.loads(reject)["utterance_id"] == name


def test_packed_rows_without_lengths_are_refused(tmp_path: Path) -> None:
    table = pa.table({"utterance_ids": [["a"]], "codes_list": [[1] * 7]})
    pq.write_table(table, tmp_path / "rows.parquet")
    result = run(DECODE, tmp_path / "rows.parquet", "--tokens", "orpheus", *MODEL, "-o", "out")
    assert (result.exit_code, "no column seq_lengths" in result.stderr) == (1, True)


def is_val(root: Path, name: str) -> bool:
    return bool(query(f"FROM '{root}/now/val.parquet' WHERE utterance_id = '{name}'"))


def test_rows_without_a_tokenizer_keep_text_and_the_columns_of_the_manifest(
    made: Path, tmp_path: Path
) -> None:
    succeed(TOKENS, *options(made, tmp_path / "rows", "--prompt", "<{speaker}> {text}{{}}"))
    rows, codes = rows_of(tmp_path / "rows"), codes_of(made)
    assert list(rows[0]) == ["utterance_id", "text", "codes_list", "speaker", "language"]
    assert len(rows) == 59
    for row in rows:
        number = int(row["utterance_id"][-4:])
        assert row["text"] == f"<s{number % 5}> sentence {number}{{}}"
        assert (row["speaker"], row["language"]) == (f"s{number % 5}", ("de", "hi")[number % 2])
        assert row["codes_list"] == notebook_ids(codes[row["utterance_id"]], 1010, 16)


def test_no_row_is_above_the_limit_and_what_is_left_out_is_in_the_ledger(
    made: Path, tokenizer: Path, tmp_path: Path
) -> None:
    succeed(TOKENS, *options(made, tmp_path / "all", "--tokenizer", tokenizer))
    lengths = {row["utterance_id"]: len(row["input_ids"]) for row in rows_of(tmp_path / "all")}
    limit = sorted(lengths.values())[40]
    more = ["--tokenizer", tokenizer, "--max-tokens", limit]
    result = run(TOKENS, *options(made, tmp_path / "rows", *more))
    assert result.exit_code == 1
    assert f"See {tmp_path / 'rows' / 'rejects.parquet'}" in result.stderr
    said = json.loads(result.stdout.splitlines()[-1])
    kept = {row["utterance_id"]: len(row["input_ids"]) for row in rows_of(tmp_path / "rows")}
    assert kept == {name: length for name, length in lengths.items() if length <= limit}
    ledger = pq.read_table(tmp_path / "rows/rejects.parquet").to_pylist()
    assert {row["utterance_id"] for row in ledger} == lengths.keys() - kept.keys()
    assert {(row["stage"], row["reason"], row["split"]) for row in ledger} == {
        ("tokens", "too_long", "train")
    }
    assert said["rejects"] == {"too_long": len(ledger)} == {"too_long": 18}
    assert said["longest"] == max(kept.values()) == limit
    longest = max(ledger, key=lambda row: lengths[row["utterance_id"]])
    assert longest["detail"] == f"{max(lengths.values())} ids, more than {limit}"


def test_what_has_no_text_is_left_out_and_said(made: Path, tmp_path: Path) -> None:
    table = pq.read_table(made / "manifests/train.parquet")
    texts = table["text"].to_pylist()
    texts[0], texts[5], texts[7] = None, " \n", ""
    speakers = table["speaker"].to_pylist()
    speakers[9] = None
    for name, values in (("text", texts), ("speaker", speakers)):
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values))
    pq.write_table(table, tmp_path / "manifest.parquet")
    more = ["--manifest", tmp_path / "manifest.parquet", "--prompt", "{speaker}: {text}"]
    more += ["--max-reject-rate", 0.2]
    said = succeed(TOKENS, *options(made, tmp_path / "rows", *more))
    assert said["rejects"] == {"no_text": 4}
    ledger = pq.read_table(tmp_path / "rows/rejects.parquet").to_pylist()
    assert {(row["utterance_id"], row["detail"]) for row in ledger} == {
        *((f"train/{number:04}", "the column text is empty") for number in (0, 5, 7)),
        ("train/0009", "the column speaker is empty"),
    }
    rows, codes = rows_of(tmp_path / "rows"), codes_of(made)
    assert len(rows) == 59 - 4
    for row in rows:  # each still has its own codes
        assert row["codes_list"] == notebook_ids(codes[row["utterance_id"]], 1010, 16)


def test_packed_rows_are_full_whole_and_padded(made: Path, tokenizer: Path, tmp_path: Path) -> None:
    succeed(TOKENS, *options(made, tmp_path / "each", "--tokenizer", tokenizer))
    each = {row["utterance_id"]: row["input_ids"] for row in rows_of(tmp_path / "each")}
    size = 2000
    more = ["--tokenizer", tokenizer, "--pack", size]
    said = succeed(TOKENS, *options(made, tmp_path / "packed", *more))
    packed = {}
    for row in rows_of(tmp_path / "packed"):
        ids, end = row["input_ids"], sum(row["seq_lengths"])
        assert len(ids) == len(row["labels"]) == len(row["attention_mask"]) == size
        assert ids[end:] == [2005] * (size - end)
        assert row["labels"] == ids[:end] + [-100] * (size - end)
        assert row["attention_mask"] == [1] * end + [0] * (size - end)
        start = 0
        for name, length in zip(row["utterance_ids"], row["seq_lengths"], strict=True):
            packed[name] = ids[start : start + length]
            start += length
    assert packed == each
    total = sum(map(len, each.values())) + sum(
        sum(row["seq_lengths"]) for row in rows_of(tmp_path / "packed", "validation")
    )
    rows = said["rows"]["train"] + said["rows"]["val"]
    assert said["filled"] == pytest.approx(total / (rows * size), abs=1e-4)


def test_repeated_frames_are_counted_and_dropped_only_if_asked(made: Path, tmp_path: Path) -> None:
    kept = run(TOKENS, *options(made, tmp_path / "off"))
    assert "--drop-repeated coarse would take that much of the speech away" in kept.stderr
    dropped = run(TOKENS, *options(made, tmp_path / "coarse", "--drop-repeated", "coarse"))
    assert "too fast" in dropped.stderr
    off, coarse = (json.loads(result.stdout.splitlines()[-1]) for result in (kept, dropped))
    rows = {row["utterance_id"]: row["codes_list"] for row in rows_of(tmp_path / "off")}
    repeated = 0
    for row in rows_of(tmp_path / "coarse"):
        ids = rows[row["utterance_id"]]
        frames = [ids[i : i + 7] for i in range(0, len(ids), 7)]
        single = [
            frame
            for number, frame in enumerate(frames)
            if number == 0 or frame[0] != frames[number - 1][0]
        ]
        repeated += len(frames) - len(single)
        assert row["codes_list"] == [token for frame in single for token in frame]
    assert off["repeated_frames"] == coarse["repeated_frames"] >= repeated > 0
    assert off["frames"] == coarse["frames"]
    assert coarse["tokens"] == off["tokens"] - 7 * off["repeated_frames"]


def test_a_condition_and_a_limit_choose(made: Path, tmp_path: Path) -> None:
    chosen = ["--where", "speaker = 's1' AND language = 'hi' -- not all"]
    succeed(TOKENS, *options(made, tmp_path / "some", *chosen))
    assert {row["speaker"] + row["language"] for row in rows_of(tmp_path / "some")} == {"s1hi"}
    sizes = []
    for limit in (4, 9):
        succeed(TOKENS, *options(made, tmp_path / str(limit), "--limit", limit, "--val-limit", 2))
        sizes.append({row["utterance_id"] for row in rows_of(tmp_path / str(limit))})
        assert len(rows_of(tmp_path / str(limit), "validation")) == 2
    assert sizes[0] < sizes[1]
    assert len({name[-1] for name in sizes[1]}) > 3


def test_the_splits_are_those_of_the_manifest_now(made: Path, tmp_path: Path) -> None:
    tables = [pq.read_table(made / f"manifests/{split}.parquet") for split in ("train", "val")]
    whole = pa.concat_tables(tables)
    splits = ["val" if n % 2 else "train" for n in range(whole.num_rows)]
    whole = whole.set_column(whole.schema.get_field_index("split"), "split", pa.array(splits))
    pq.write_table(whole, tmp_path / "all.parquet")
    succeed(TOKENS, *options(made, tmp_path / "rows", "--manifest", tmp_path / "all.parquet"))
    names = whole["utterance_id"].to_pylist()
    for split, folder in (("train", "train"), ("val", "validation")):
        wanted = {name for name, of in zip(names, splits, strict=True) if of == split}
        found = {row["utterance_id"] for row in rows_of(tmp_path / "rows", folder)}
        assert found == wanted - {"train/0003"}


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_texts_from_a_table_go_before_those_of_the_manifest(
    made: Path, tmp_path: Path, ending: str
) -> None:
    rows = [
        {"utterance_id": f"train/{number:04}", "text": f"new, \u00e9 {number}", "mood": "007"}
        for number in range(0, 60, 2)
    ]
    path = tmp_path / f"texts{ending}"
    if ending == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif ending == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows))
    else:
        mark = {".csv": ",", ".tsv": "\t"}[ending]
        lines = [["utterance_id", "text", "mood"], *(list(row.values()) for row in rows)]
        path.write_text("\n".join(mark.join(f'"{field}"' for field in line) for line in lines))
    more = ["--text-from", path, "--prompt", "{mood} {text}", "--where", "mood = '007'"]
    succeed(TOKENS, *options(made, tmp_path / "rows", *more))
    found = {row["utterance_id"]: row["text"] for row in rows_of(tmp_path / "rows")}
    assert found == {row["utterance_id"]: f"{row['mood']} {row['text']}" for row in rows}


def test_the_folder_is_whole_and_other_files_are_left_alone(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    succeed(TOKENS, *options(made, folder))
    before = snapshot(folder)
    again = run(TOKENS, *options(made, folder, "--limit", 3))
    assert again.exit_code == 1
    assert "--overwrite" in again.stderr
    assert snapshot(folder) == before
    failing = ["--overwrite", "--where", "duration_s < 0"]
    assert run(TOKENS, *options(made, folder, *failing)).exit_code == 1
    assert snapshot(folder) == before
    succeed(TOKENS, *options(made, folder, "--limit", 3, "--overwrite"))
    assert len(rows_of(folder)) == 3
    (folder / "notes.txt").write_text("mine")
    refused = run(TOKENS, *options(made, folder, "--overwrite"))
    assert refused.exit_code == 1
    assert "notes.txt" in refused.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows"]


def test_the_card_says_what_the_rows_are(made: Path, tokenizer: Path, tmp_path: Path) -> None:
    more = ["--tokenizer", tokenizer, "--pack", 2000, "--where", "language = 'de'"]
    said = succeed(TOKENS, *options(made, tmp_path / "rows", *more))
    card = (tmp_path / "rows/README.md").read_text()
    front = card.split("---")[1]
    assert "path: train/*.parquet" in front
    assert "- split: validation\n    path: validation/*.parquet" in front
    assert str(tmp_path) not in card
    assert str(tokenizer) not in card
    facts = json.loads((tmp_path / "rows/rows.json").read_text())
    for name in ("rows", "utterances", "tokens", "frames", "repeated_frames", "rejects"):
        assert facts[name] == said[name], name
    assert facts["layout"]["prompt"]["before_text"] == [2001]
    assert (facts["pack"], facts["where"]) == (2000, "language = 'de'")


def test_datasets_opens_both_splits(made: Path, tokenizer: Path, tmp_path: Path) -> None:
    import datasets

    succeed(TOKENS, *options(made, tmp_path / "rows", "--tokenizer", tokenizer))
    opened = datasets.load_dataset(str(tmp_path / "rows"), cache_dir=str(tmp_path / "hub"))
    assert {split: len(rows) for split, rows in opened.items()} == {"train": 59, "validation": 6}
    first = rows_of(tmp_path / "rows")[0]
    assert opened["train"][0] == first


WRONG = {
    "column": (["--prompt", "{txt}"], "has no column txt"),
    "brace": (["--prompt", "{text"], "--prompt '{text'"),
    "form": (["--prompt", "{text:>9}"], "names of columns in braces"),
    "no column": (["--prompt", "text"], "names no column"),
    "condition": (["--where", "spkr = 1"], "--where, 'spkr = 1', cannot be answered"),
    "chance": (["--where", "random() < 0.5"], "would select other rows each time"),
    "pack": (["--pack", 100], "give the --tokenizer"),
    "tokenizer": (["--tokenizer", "nowhere"], "there is no tokenizer nowhere"),
    "private": (["--private"], "--push USER/NAME"),
    "push": (["--push", "name"], "USER/NAME"),
    "nothing": (["--where", "duration_s < 0"], "there is nothing to make rows of"),
    "all too long": (["--max-tokens", 1], "all utterances are left out (too_long 65)"),
    "codes": (["--codes"], "no option"),
    "another codebook": (["--tokens", "orpheus"], "counts 4096 codes, the model 16"),
}


@pytest.mark.parametrize(("more", "said"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_done_is_said(
    made: Path, tmp_path: Path, more: list[object], said: str
) -> None:
    result = run(TOKENS, *options(made, tmp_path / "rows", *more))
    assert result.exit_code in (1, 2)
    assert said in result.stderr.replace("No such option", "no option")
    assert not (tmp_path / "rows").exists()


LAYOUTS: dict[str, tuple[str, str, list[object], str]] = {
    "no ids": ("id_offset = 1000\n", "", [], "id_offset = N"),
    "no prompt": (LAYOUT[LAYOUT.index("[prompt]") :], "", ["tokenizer"], "has no [prompt]"),
    "no padding": ("pad = 2005\n", "", ["tokenizer", "--pack", 2000], "add pad to [prompt]"),
    "in the words": ("id_offset = 1000", "id_offset = 50", ["tokenizer"], "they are words"),
    "no list": ("[2001]", "2001", [], "lists of ids"),
    "no number": ("[2001]", "['a']", [], "whole numbers"),
    "no field": ("pad = 2005", "padding = 2005", [], "no token layout"),
}


@pytest.mark.parametrize("lacking", LAYOUTS)
def test_a_layout_that_lacks_something_is_refused(
    made: Path, tokenizer: Path, tmp_path: Path, lacking: str
) -> None:
    old, new, more, said = LAYOUTS[lacking]
    assert old in LAYOUT
    path = tmp_path / "layout.toml"
    path.write_text(LAYOUT.replace(old, new))
    if more:
        more = ["--tokenizer", tokenizer, *more[1:]]
    result = run(TOKENS, "--artifacts", made, "-o", tmp_path / "rows", "--tokens", path, *more)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_tokenizer_that_knows_the_tokens_by_other_ids_is_refused(
    made: Path, tmp_path: Path
) -> None:
    folder = write_tokenizer(tmp_path / "other", **{"<custom_token_0>": 999})
    result = run(TOKENS, *options(made, tmp_path / "rows", "--tokenizer", folder))
    assert result.exit_code == 2
    assert "<custom_token_0> has the id 999, and in the token layout 1000" in result.stderr


def test_without_its_package_a_tokenizer_is_refused_with_what_to_install(
    made: Path, tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    result = run(TOKENS, *options(made, tmp_path / "rows", "--tokenizer", tokenizer))
    assert result.exit_code == 2
    assert "pip install 'tokenizers>=0.21'" in result.stderr


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("utterance_id,text\ntrain/0000,a\ntrain/0000,b\n", "more than once"),
        ("utterance_id,text\nelsewhere,a\n", "knows no utterance of the manifest"),
        ("id,text\ntrain/0000,a\n", "cannot be read"),
        ("utterance_id,duration_s\ntrain/0000,3\n", "the manifest itself says duration_s"),
    ],
)
def test_a_table_that_cannot_be_joined_is_refused(
    made: Path, tmp_path: Path, table: str, said: str
) -> None:
    (tmp_path / "texts.csv").write_text(table)
    more = ["--text-from", tmp_path / "texts.csv"]
    result = run(TOKENS, *options(made, tmp_path / "rows", *more))
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_damaged_part_is_named_and_nothing_is_written(made: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_cache(root)
    part = sorted((root / "codes/train").glob("part-*.parquet"))[1]
    content = bytearray(part.read_bytes())
    content[60] ^= 1
    part.write_bytes(content)
    more = ["--tokens", made / "layout.toml", "--manifest", made / "manifests"]
    result = run(TOKENS, "--artifacts", root, "-o", tmp_path / "rows", *more)
    assert result.exit_code == 1
    assert f"{part} is damaged" in result.stderr
    assert not (tmp_path / "rows").exists()


class Hub:
    """Takes note of what is uploaded."""

    calls: list[dict[str, Any]] = []  # noqa: RUF012

    def create_repo(self, name: str, **options: Any) -> str:
        self.calls.append({"name": name, **options})
        return f"https://hub/{name}"

    def upload_folder(self, **options: Any) -> None:
        self.calls.append(options)


def test_rows_are_pushed_as_a_data_set_without_the_ledger(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    monkeypatch.setattr(Hub, "calls", [])
    succeed(TOKENS, *options(made, tmp_path / "rows", "--push", "me/rows", "--private"))
    created, uploaded = Hub.calls
    assert (created["name"], created["repo_type"], created["private"]) == (
        "me/rows",
        "dataset",
        True,
    )
    assert (uploaded["repo_type"], uploaded["folder_path"]) == ("dataset", tmp_path / "rows")
    assert uploaded["ignore_patterns"] == ["rejects.parquet"]
    assert 'load_dataset("me/rows"' in (tmp_path / "rows/README.md").read_text()


def test_it_works_without_torch(made: Path, tokenizer: Path, tmp_path: Path) -> None:
    arguments = list(map(str, options(made, tmp_path / "rows", "--tokenizer", tokenizer)))
    call = (
        "import sys; sys.modules['torch'] = None; from snac_cache.cli.tokens import main; "
        f"main({arguments!r})"
    )
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert np.array([len(row["input_ids"]) for row in rows_of(tmp_path / "rows")]).min() > 7
