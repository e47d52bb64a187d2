"""What may change about a corpus without encoding it again, and what may not."""

import json
import shutil
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from workplace import query, run, snapshot, succeed, write_tone

from snac_cache import CodeStore
from snac_cache.fingerprint import audio_fingerprint
from snac_cache.schema import SCHEMA_VERSION
from snac_cache.work.lock import working_in
from snac_common.errors import Failure
from snac_model.audio.header import AudioError
from snac_model.audio.sinc_kernel import KAISER_BETA, ROLLOFF, ZERO_CROSSINGS

CACHE, MANIFEST = "snac_cache.cli.cache", "snac_cache.cli.manifest"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> tuple[Path, Path]:
    """The place of an artifact root, and a copy of how it was there."""
    root = tmp_path_factory.mktemp("corpus") / "root"
    for number in range(6):
        write_tone(root / "in" / f"{number}.wav", 0.3 + number / 20)
    scan(root)
    cache(root, model_folder)
    return root, Path(shutil.copytree(root, root.with_name("copy")))


@pytest.fixture
def corpus(kept: tuple[Path, Path]) -> Path:
    """An artifact root with manifests and codes of six utterances in ``in``."""
    root, copy = kept
    shutil.rmtree(root)
    return Path(shutil.copytree(copy, root))


def scan(root: Path, *options: object, folder: str = "in") -> None:
    """Write the manifests of the corpus as it is now."""
    split = [] if "--val-ratio" in options else ["--val-ratio", 0]
    short = ["--min-duration", 0.1]
    succeed(MANIFEST, root / folder, "--artifacts", root, *split, *short, *options)


def cache(root: Path, model: Path, *options: object) -> dict[str, object]:
    """Run snac-cache over it."""
    where = ["--artifacts", root, "--model", model, "--device", "cpu", "--part-rows", 2]
    return succeed(CACHE, *where, *options)


def parts(root: Path) -> dict[str, bytes]:
    """Return the parts' bytes."""
    return {
        name: data
        for name, data in snapshot(root / "codes").items()
        if "part-" in name and ".mapped" not in name
    }


def restate(root: Path, select: str) -> None:
    """Write the train manifest anew with SQL over its rows, ``manifest``."""
    path = root / "manifests" / "train.parquet"
    manifest = pq.read_table(path)
    with duckdb.connect() as connection:
        connection.register("manifest", manifest)
        connection.sql(select).write_parquet(str(path))


def test_columns_of_ones_own_and_corrected_ones_reach_readers(
    corpus: Path, model_folder: Path
) -> None:
    before = parts(corpus)
    for text in ("as it was", "corrected"):
        restate(corpus, f"SELECT * EXCLUDE (split), split, '{text}' AS text FROM manifest")
        restate(corpus, "SELECT * REPLACE ('/target.flac' AS target_path) FROM manifest")
        store = CodeStore(corpus / "codes", "train", corpus / "manifests")
        assert set(store.column("text").to_pylist()) == {text}
        assert len(store.with_target()) == 6
        assert store[3].target_path == "/target.flac"
        assert cache(corpus, model_folder)["rows"] == 0
        (read,) = query(f"SELECT DISTINCT text FROM '{corpus}/codes/plan/train.parquet'")
        assert read == (text,)
        restate(corpus, "SELECT * EXCLUDE (text) FROM manifest")
    assert parts(corpus) == before


def test_a_corpus_at_another_place_keeps_its_codes(corpus: Path, model_folder: Path) -> None:
    before = parts(corpus)
    (corpus / "elsewhere").mkdir()
    shutil.copytree(corpus / "in", corpus / "elsewhere" / "in")  # with other times
    shutil.rmtree(corpus / "in")
    scan(corpus, folder="elsewhere/in")
    store = CodeStore(corpus / "codes", "train", corpus / "manifests")
    assert store[0].audio_path == str(corpus / "elsewhere" / "in" / "0.wav")
    again = cache(corpus, model_folder)
    assert (again["rows"], again["skipped_rows"]) == (0, 6)
    assert parts(corpus) == before


def test_another_split_keeps_the_codes_where_they_are(corpus: Path, model_folder: Path) -> None:
    before = parts(corpus)
    scan(corpus, "--val-ratio", 0.5)
    assert cache(corpus, model_folder)["rows"] == 0
    split = {
        name: [row.utterance_id for row in CodeStore(corpus / "codes", name, corpus / "manifests")]
        for name in ("train", "val")
    }
    for name, listed in split.items():
        manifest = pq.read_table(corpus / "manifests" / f"{name}.parquet")
        assert listed == manifest["utterance_id"].to_pylist()
        assert listed
    assert parts(corpus) == before


def test_audio_replaced_in_place_is_noticed_and_encoded_again(
    corpus: Path, model_folder: Path
) -> None:
    before = parts(corpus)
    samples = bytearray((corpus / "in" / "4.wav").read_bytes())
    samples[44:] = bytes(byte ^ 1 for byte in samples[44:])  # as long as it was
    (corpus / "in" / "4.wav").write_bytes(samples)
    scan(corpus)
    with pytest.raises(Failure, match=r"'in/4'.*was replaced"):
        CodeStore(corpus / "codes", "train", corpus / "manifests")
    assert cache(corpus, model_folder)["rows"] == 2  # its part
    after = parts(corpus)
    assert {name for name in before if before[name] != after[name]} == {"train/part-00002.parquet"}
    CodeStore(corpus / "codes", "train", corpus / "manifests")


def test_audio_replaced_after_the_scan_is_a_reject(corpus: Path, model_folder: Path) -> None:
    write_tone(corpus / "in" / "4.wav", 0.5, channels=2)
    where = ["--artifacts", corpus, "--model", model_folder, "--device", "cpu", "--overwrite"]
    found = run(CACHE, *where)
    assert found.exit_code == 1
    rows = query(f"SELECT utterance_id, reason FROM '{corpus}/codes/rejects/*.parquet'")
    assert rows == [("in/4", "changed_audio")]


def test_rows_without_fingerprints_get_those_of_what_was_read(
    corpus: Path, model_folder: Path
) -> None:
    restate(corpus, "SELECT * REPLACE (NULL AS audio_fingerprint) FROM manifest")
    cache(corpus, model_folder, "--overwrite")
    found = query(
        f"SELECT audio_path, audio_fingerprint FROM '{corpus}/codes/train/*.parquet' ORDER BY ALL"
    )
    assert found == [
        (str(path), audio_fingerprint(path)) for path in sorted((corpus / "in").iterdir())
    ]


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
def test_a_fingerprint_is_of_the_audio(tmp_path: Path, suffix: str) -> None:
    write_tone(tmp_path / f"a.{suffix}", 3.0)
    first = audio_fingerprint(tmp_path / f"a.{suffix}")
    shutil.copy(tmp_path / f"a.{suffix}", tmp_path / "copy")
    (tmp_path / "copy").touch()
    assert audio_fingerprint(tmp_path / "copy") == first
    assert first.startswith("flac:" if suffix == "flac" else "blocks:")
    write_tone(tmp_path / f"a.{suffix}", 3.0, channels=2)
    assert audio_fingerprint(tmp_path / f"a.{suffix}") != first


@pytest.mark.parametrize("size", [0, 1, 4096, 4097, 20_480, 20_481, 1_000_000])
def test_a_fingerprint_sees_the_ends_and_all_of_a_small_file(tmp_path: Path, size: int) -> None:
    content = bytearray(size)
    (tmp_path / "a").write_bytes(content)
    first = audio_fingerprint(tmp_path / "a")
    places = range(size) if size <= 4097 else [0, size - 1, size // 2, 5000 if size < 30_000 else 0]
    for place in list(places)[:: max(1, len(places) // 50)]:
        content[place] ^= 1
        (tmp_path / "a").write_bytes(content)
        assert audio_fingerprint(tmp_path / "a") != first
        content[place] ^= 1
    with pytest.raises(AudioError):
        audio_fingerprint(tmp_path / "missing")


def test_a_second_command_on_one_folder_says_who_is_at_it(corpus: Path, model_folder: Path) -> None:
    where = ["--artifacts", corpus, "--model", model_folder, "--device", "cpu"]
    with working_in(corpus / "codes", "snac-cache"):
        refused = run(CACHE, *where)
    assert refused.exit_code == 1
    assert "another command is at work" in refused.stderr
    assert "snac-cache, process" in refused.stderr
    assert succeed(CACHE, *where)["rows"] == 0


def test_parts_of_an_earlier_cache_are_an_error(corpus: Path, model_folder: Path) -> None:
    """As after an --overwrite that was killed when it had deleted cache.json."""
    (corpus / "codes" / "cache.json").unlink()
    where = ["--artifacts", corpus, "--model", model_folder, "--device", "cpu"]
    refused = run(CACHE, *where, "--part-rows", 6)
    assert refused.exit_code == 1
    assert "part-00001.parquet is no part of the cache" in refused.stderr
    assert succeed(CACHE, *where, "--part-rows", 6, "--overwrite")["cached_rows"] == 6


@pytest.mark.parametrize("content", ["{}", "[]", "null", "1", '{"precision": 1}', "{"])
def test_a_damaged_cache_json_is_an_error_for_people(
    corpus: Path, model_folder: Path, content: str
) -> None:
    (corpus / "codes" / "cache.json").write_text(content)
    refused = run(CACHE, "--artifacts", corpus, "--model", model_folder, "--device", "cpu")
    assert refused.exit_code == 1
    assert "cache.json" in refused.stderr
    assert "--overwrite" in refused.stderr


def test_another_schema_version_is_named(corpus: Path, model_folder: Path) -> None:
    path = corpus / "codes" / "cache.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 1}))
    refused = run(CACHE, "--artifacts", corpus, "--model", model_folder, "--device", "cpu")
    assert refused.exit_code == 1
    assert "schema version 1" in refused.stderr


def test_an_appended_cache_is_mended_as_any_other(corpus: Path, model_folder: Path) -> None:
    for number in range(6, 9):
        write_tone(corpus / "in" / f"{number}.wav", 0.3 + number / 20)
    scan(corpus)
    assert cache(corpus, model_folder, "--append")["rows"] == 3
    whole = parts(corpus)
    for name, damage in (("train/part-00000.parquet", 300), ("train/part-00004.parquet", 0)):
        path = corpus / "codes" / name
        path.write_bytes(path.read_bytes()[:damage])
    assert cache(corpus, model_folder)["rows"] == 3
    assert parts(corpus) == whole


def test_a_changed_resampler_makes_another_schema_version() -> None:
    """It decides codes of all audio at other rates: caches of two resamplers must not be mixed."""
    assert (SCHEMA_VERSION, ZERO_CROSSINGS, ROLLOFF, KAISER_BETA) == (3, 64, 0.98, 9.0)
