"""Audio in tars and in long recordings, all the way: as if each utterance were a file."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpora import encoded, write_lines, write_tar
from evaluation import read_rows
from syllables import syllables
from training import SMALL_CODEC, write_voice
from whole_runs import arguments, result
from workplace import query, run, succeed

from snac_model import save

MANIFEST, UPSAMPLE = "snac_cache.cli.manifest", "snac_cache.cli.upsample"
COLUMNS = ("--column", "start=start", "--column", "end=end")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Artifacts with codes of 7 utterances at 48 kHz: of files, of tars, of long recordings."""
    root = tmp_path_factory.mktemp("places")
    save(SMALL_CODEC(), root / "model")
    names = [
        f"{split}/{number}"
        for split, count in (("train", 4), ("val", 3))
        for number in range(count)
    ]
    for seed, name in enumerate(names):
        write_voice(root / f"files/in/{name}.wav", 0.4 + 0.1 * seed, seed)
    for split in ("train", "val"):
        files = sorted((root / "files/in" / split).iterdir())
        write_tar(root / f"tars/in/{split}.tar", [(path.name, path.read_bytes()) for path in files])
    audio = [soundfile.read(root / f"files/in/{name}.wav", dtype="int16")[0] for name in names]
    (root / "long/in").mkdir(parents=True)
    soundfile.write(root / "long/in/long.wav", np.concatenate(audio), 48_000)
    stops = np.cumsum(list(map(len, audio))) / 48_000
    rows: list[dict[str, object]] = [
        {
            "id": name,
            "split": name.split("/")[0],
            "path": "long.wav",
            "start": float(stop) - len(x) / 48_000,
            "end": float(stop),
        }
        for name, x, stop in zip(names, audio, stops, strict=True)
    ]
    write_lines(root / "long/in/segments.jsonl", rows)
    for kind in ("files", "tars", "long"):
        art = ("--artifacts", root / kind)
        source = root / kind / ("in/segments.jsonl" if kind == "long" else "in")
        options = COLUMNS if kind == "long" else ()
        succeed(MANIFEST, source, "--min-duration", 0.01, *options, *art)
        succeed("snac_cache.cli.cache", "--model", root / "model", "--device", "cpu", *art)
    return root


@pytest.mark.parametrize("kind", ["tars", "long"])
def test_training_and_evaluation_are_those_of_files(places: Path, kind: str) -> None:
    for one in ("files", kind):
        root = places / one
        if not (root / "runs").exists():
            succeed(
                "snac_train.cli.train", *arguments(root, root / "codes"), "--base", places / "model"
            )
            succeed(
                "snac_eval.cli.evaluate",
                places / "model",
                "--artifacts",
                root,
                "--device",
                "cpu",
                "--samples",
                2,
                "--name",
                "e",
            )
    assert result(places / kind) == result(places / "files")
    assert read_rows(places / kind / "eval/e") == read_rows(places / "files/eval/e")


def test_audio_that_is_replaced_in_a_tar_is_seen(places: Path, tmp_path: Path) -> None:
    root = tmp_path / "tars"
    shutil.copytree(places / "tars", root, ignore=shutil.ignore_patterns("runs"))
    again = ("--artifacts", root, "--overwrite")
    succeed(MANIFEST, root / "in", "--min-duration", 0.01, *again)
    kept = succeed(
        "snac_cache.cli.cache", "--model", places / "model", "--device", "cpu", *again[:2]
    )
    assert kept["skipped_rows"] == 7
    tar = (root / "in/train.tar").read_bytes()
    first, second = (
        path.read_bytes() for path in sorted((places / "files/in/train").iterdir())[:2]
    )
    assert tar.count(first) == 1
    (root / "in/train.tar").write_bytes(tar.replace(second[1000:9000], second[1000:9000][::-1]))
    refused = run(
        "snac_train.cli.train", *arguments(root, root / "codes"), "--base", places / "model"
    )
    assert (refused.exit_code, "was replaced" in refused.stderr) == (1, True)


@pytest.fixture
def low(tmp_path: Path) -> Path:
    """Files at 24 kHz, and a tar of the same."""
    flacs = {
        f"{number}.flac": encoded(np.round(syllables(1.3, 24_000, number) * 2**15).astype("i2"))
        for number in range(4)
    }
    for name, content in flacs.items():
        path = tmp_path / "files" / "in" / "a" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    write_tar(tmp_path / "tars" / "in" / "a.tar", sorted(flacs.items()))
    for kind in ("files", "tars"):
        succeed(MANIFEST, tmp_path / kind / "in", "--artifacts", tmp_path / kind)
    return tmp_path


def test_targets_are_made_of_what_lies_in_tars(low: Path) -> None:
    made = {}
    for kind in ("files", "tars"):
        art = ("--artifacts", low / kind, "--workers", 1)
        succeed(UPSAMPLE, *art, "--engine", "resample")
        again = succeed(UPSAMPLE, *art, "--engine", "resample")
        assert (again["made"], again["skipped"]) == (0, 4)
        folder = low / kind / "audio48k"
        made[kind] = {
            path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.flac")
        }
    assert len(made["tars"]) == 4
    assert made["tars"] == made["files"]


def test_targets_that_exist_mirror_the_ids_of_what_lies_in_tars(low: Path) -> None:
    for number in range(4):
        path = low / "given" / "a" / f"{number}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, syllables(1.3, 48_000, number), 48_000)
    given = ("--engine", "files", "--from", low / "given", "--workers", 1)
    found = succeed(UPSAMPLE, "--artifacts", low / "tars", *given)
    assert (found["given"], found["rejects"]) == (4, {})


def test_targets_may_lie_in_tars(low: Path) -> None:
    """Named by a column of the manifest, as by a corpus that has them beside its sources."""
    flacs = []
    for number in range(4):
        path = low / f"{number}.flac"
        soundfile.write(path, syllables(1.3, 48_000, number), 48_000)
        flacs.append((path.name, path.read_bytes()))
    write_tar(low / "high" / "in" / "a.tar", flacs)
    succeed(MANIFEST, low / "high" / "in", "--artifacts", low / "high")
    high = f"read_parquet('{low}/high/manifests/[tv]*.parquet')"
    for split in ("train", "val"):
        path = low / "tars" / "manifests" / f"{split}.parquet"
        query(
            f"COPY (SELECT * REPLACE ((SELECT any_value(audio_path) FROM {high} h WHERE "
            f"h.utterance_id = l.utterance_id) AS target_path) FROM '{path}' l) TO '{path}.new' "
            "(FORMAT parquet)"
        )
        Path(f"{path}.new").rename(path)
    options = ("--artifacts", low / "tars", "--engine", "files", "--workers", 1)
    for _ in range(2):
        found = succeed(UPSAMPLE, *options)
        assert (found["given"], found["rejects"]) == (4, {})
    rows = query(f"SELECT target_path FROM '{low}/tars/manifests/train.parquet'")
    assert all("high/in/a.tar?o=" in path for (path,) in rows)
