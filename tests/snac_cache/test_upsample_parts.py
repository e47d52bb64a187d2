"""snac-upsample's work in parts: killed, carried on, shared, verified; nothing is done twice."""

import shutil
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from killing import Moment, run_command
from syllables import write_syllables
from workplace import last_line, query, run, snapshot, succeed

from snac_cache.manifests.read import read_manifest
from snac_cache.store.code_store import CodeStore

UPSAMPLE, MANIFEST = "snac_cache.cli.upsample", "snac_cache.cli.manifest"
RATES = [16000, 24000, 48000, 96000, 44100, 48000]
OPTIONS = ["--engine", "resample", "--workers", 1, "--part-rows", 2]


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """Manifests of six utterances, two of them natively 48 kHz, the last two in val."""
    for number, rate in enumerate(RATES):
        split = "train" if number < 4 else "val"
        write_syllables(tmp_path / "in" / split / f"{number}.wav", 1.1 + number / 7, rate, number)
    scan(tmp_path / "art")
    return tmp_path / "art"


def scan(artifacts: Path) -> None:
    """Make the manifests anew."""
    shutil.rmtree(artifacts / "manifests", ignore_errors=True)
    succeed(MANIFEST, artifacts.parent / "in", "--artifacts", artifacts)


def rows_of(artifacts: Path) -> list[dict[str, Any]]:
    """Return the manifests' rows, train first."""
    tables = read_manifest(artifacts / "manifests")
    return [row for table in tables.values() for row in table.to_pylist()]


def at_flush(number: int) -> Moment:
    """Return the moment of a flush to the disk.

    Every file that is written whole is flushed before it gets its name, and its folder after that:
    so counting flushes finds the moments on both sides of each rename.
    """
    return Moment("snac_common.files:flush_to_disk", number, after=False)


class Reads:
    """Counts the sources that are read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from snac_cache.encoding import reading

        self.paths: list[str] = []
        original = reading.read_mono

        def counted(path: str) -> Any:
            self.paths.append(Path(path).name)
            return original(path)

        monkeypatch.setattr(reading, "read_mono", counted)


def test_killed_at_any_write_it_carries_on_to_the_same_files(
    artifacts: Path, tmp_path: Path
) -> None:
    """The plan, targets, parts and manifests: each before and after it has its name."""
    original = tmp_path / "original"
    shutil.copytree(artifacts, original)
    arguments = ["--artifacts", artifacts, *OPTIONS]
    succeed(UPSAMPLE, *arguments)
    whole = {name: content for name, content in snapshot(artifacts).items() if "plan" not in name}
    codes = []
    for flush in range(1, 40, 3):
        shutil.rmtree(artifacts)
        shutil.copytree(original, artifacts)
        codes.append(run_command(UPSAMPLE, arguments, at_flush(flush), log=tmp_path / "log"))
        if codes[-1] == 0:
            break
        succeed(UPSAMPLE, *arguments)
        left = snapshot(artifacts).items()
        assert whole == {
            name: content
            for name, content in left
            if "plan" not in name and not name.endswith(".partial")
        }
    assert set(codes) == {-9, 0}
    assert len(codes) > 7


def test_finished_parts_are_not_read_again(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed as its last part is about to get its name: that part's native row is measured again.

    Before that come two plans, two parts and four targets, with two flushes each.
    """
    arguments = ["--artifacts", artifacts, *OPTIONS]
    assert run_command(UPSAMPLE, arguments, at_flush(2 * 8 + 1), log=artifacts.parent / "log") == -9
    reads = Reads(monkeypatch)
    summary = succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    assert reads.paths == ["5.wav"]
    assert (summary["made"], summary["skipped"], summary["native"]) == (0, 4, 2)


def test_manifests_that_are_made_anew_get_their_targets_back_without_any_audio(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    before = snapshot(artifacts)
    scan(artifacts)
    assert rows_of(artifacts)[0]["target_path"] is None
    (artifacts.parent / "in").rename(artifacts.parent / "unplugged")
    monkeypatch.setattr(soundfile, "SoundFile", None)
    succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    assert snapshot(artifacts) == before


def test_columns_of_the_users_own_stay(artifacts: Path) -> None:
    path = artifacts / "manifests" / "train.parquet"
    table = pq.read_table(path)
    texts = [f"text {number}" for number in range(table.num_rows)]
    pq.write_table(table.append_column("text", pa.array(texts)), path)
    succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    assert pq.read_table(path)["text"].to_pylist() == texts
    assert pq.read_table(path)["target_path"].null_count == 0


def test_a_target_that_is_gone_is_made_anew_and_nothing_else(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    before = snapshot(artifacts)
    Path(rows_of(artifacts)[3]["target_path"]).unlink()
    reads = Reads(monkeypatch)
    assert succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)["made"] == 1
    assert reads.paths == ["3.wav"]
    assert snapshot(artifacts) == before


def test_audio_that_was_replaced_gets_a_new_target(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a recording of the same length: only its fingerprint tells."""
    succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    target = Path(rows_of(artifacts)[0]["target_path"])
    before = target.read_bytes()
    write_syllables(artifacts.parent / "in" / "train" / "0.wav", 1.1, RATES[0], seed=77)
    scan(artifacts)
    reads = Reads(monkeypatch)
    assert succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)["made"] == 1
    assert target.read_bytes() != before
    assert reads.paths == ["0.wav"]
    shutil.rmtree(artifacts / "audio48k" / "parts")
    assert succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)["skipped"] == 4


def test_a_corpus_and_its_targets_may_move(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    elsewhere = artifacts.parent / "elsewhere"
    elsewhere.mkdir()
    (artifacts.parent / "in").rename(elsewhere / "in")
    artifacts.rename(elsewhere / "art")
    scan(elsewhere / "art")
    reads = Reads(monkeypatch)
    succeed(UPSAMPLE, "--artifacts", elsewhere / "art", *OPTIONS)
    assert reads.paths == []
    for row in rows_of(elsewhere / "art"):
        assert str(elsewhere) in row["target_path"]
        assert Path(row["target_path"]).is_file()


def test_new_rows_come_into_new_parts(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    write_syllables(artifacts.parent / "in" / "train" / "00.wav", 1.2, 22050)
    scan(artifacts)
    reads = Reads(monkeypatch)
    summary = succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    assert (summary["made"], summary["targets"]) == (1, 7)
    assert reads.paths == ["00.wav"]
    assert [row["utterance_id"] for row in rows_of(artifacts)][:2] == ["in/train/0", "in/train/00"]


def test_rows_that_are_gone_are_not_made(artifacts: Path) -> None:
    """Nor counted: neither where their part was finished, nor where it was not."""
    succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    (artifacts / "audio48k" / "parts" / "val" / "part-00000.parquet").unlink()
    for name in ("train/0", "val/4", "val/5"):
        (artifacts.parent / "in" / f"{name}.wav").unlink()
    write_syllables(artifacts.parent / "in" / "val" / "6.wav", 1.2, 48000)
    scan(artifacts)
    summary = succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    assert (summary["targets"], summary["rejects"]) == (4, {})
    assert [row["utterance_id"] for row in rows_of(artifacts)] == [
        *(f"in/train/{number}" for number in (1, 2, 3)),
        "in/val/6",
    ]


@pytest.mark.parametrize("damage", ["flipped", "torn", "another's"])
@pytest.mark.parametrize("file", ["parts/train/part-00001.parquet", "plan/train.parquet"])
def test_damaged_records_are_made_anew(artifacts: Path, damage: str, file: str) -> None:
    succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    before = snapshot(artifacts / "manifests")
    path = artifacts / "audio48k" / file
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[60] ^= 1
    if damage == "another's":
        content = bytearray((artifacts / "manifests" / "val.parquet").read_bytes())
    path.write_bytes(content[: 300 if damage == "torn" else len(content)])
    summary = succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    assert (summary["made"], summary["skipped"]) == (0, 4)
    assert snapshot(artifacts / "manifests") == before


def test_rejects_are_tried_again_when_asked(artifacts: Path) -> None:
    path = artifacts.parent / "in" / "train" / "0.wav"
    content = path.read_bytes()
    path.unlink()
    for _ in range(2):  # a gate that failed fails again
        result = run(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
        assert result.exit_code == 1
        assert last_line(result)["rejects"] == {"unreadable": 1}
    rejects = query(f"SELECT utterance_id, reason FROM '{artifacts}/audio48k/rejects/*.parquet'")
    assert rejects == [("in/train/0", "unreadable")]
    path.write_bytes(content)
    assert run(UPSAMPLE, "--artifacts", artifacts, *OPTIONS).exit_code == 1
    summary = succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS, "--retry")
    assert (summary["made"], summary["skipped"], summary["rejects"]) == (1, 3, {})
    assert not list((artifacts / "audio48k" / "rejects").iterdir())


def test_ranks_share_the_parts_and_the_last_one_writes_the_manifests(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tasks of a Slurm array, one after the other; what they make is what one would make."""
    manifests = snapshot(artifacts / "manifests")
    array = {"MIN": 3, "MAX": 4, "STEP": 1, "COUNT": 2}
    for name, value in array.items():
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "4")
    half = succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    assert half["parts_left_to_other_ranks"] == 2
    assert snapshot(artifacts / "manifests") == manifests
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    whole = succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    assert (whole["parts_left_to_other_ranks"], whole["targets"]) == (0, 6)
    shared = snapshot(artifacts)
    alone = ["--artifacts", artifacts, *OPTIONS, "--rank", "0/1"]
    shutil.rmtree(artifacts / "audio48k")
    scan(artifacts)
    succeed(UPSAMPLE, *alone)
    assert snapshot(artifacts) == shared


def test_gpus_are_for_one_process_a_machine(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    result = run(UPSAMPLE, "--artifacts", artifacts, "--gpus", "0")
    assert result.exit_code == 2
    assert "Leave out --gpus" in result.stderr


def test_resampling_takes_cpu_workers_beside_a_gpu(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    options = ["--artifacts", artifacts, "--engine", "resample"]
    assert succeed(UPSAMPLE, *options, "--workers", 1)["workers"] == ["cpu"]
    for asked in (["--gpus", "0"], ["--device", "cuda"]):
        result = run(UPSAMPLE, *options, *asked)
        assert result.exit_code == 0
        assert "computes on the CPU" in result.stderr
        assert set(last_line(result)["workers"]) == {"cpu"}


def test_a_second_command_on_the_folder_says_so(artifacts: Path) -> None:
    from snac_cache.work.lock import working_in

    with working_in(artifacts / "audio48k", "snac-upsample"):
        result = run(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    assert result.exit_code == 1
    assert "another command is at work" in result.stderr


def test_targets_made_after_the_codes_need_no_encoding(artifacts: Path, model_folder: Path) -> None:
    options = ["--artifacts", artifacts, "--model", model_folder, "--device", "cpu"]
    cache = [*options, "--workers", 1]
    succeed("snac_cache.cli.cache", *cache)
    codes = snapshot(artifacts / "codes" / "train")
    before = CodeStore(artifacts / "codes", "train", artifacts / "manifests")
    assert list(before.with_target()) == [2]
    succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    after = CodeStore(artifacts / "codes", "train", artifacts / "manifests")
    assert list(after.with_target()) == [0, 1, 2, 3]
    assert after[0].bandwidth_hz
    assert succeed("snac_cache.cli.cache", *cache)["rows"] == 0
    assert {
        name: content
        for name, content in snapshot(artifacts / "codes" / "train").items()
        if name.endswith(".parquet")
    } == {name: content for name, content in codes.items() if name.endswith(".parquet")}


def test_what_a_worker_is_sent_does_not_grow_with_the_manifest(tmp_path: Path) -> None:
    """The task, and each item."""
    from functools import partial

    from snac_cache.schema import MANIFEST as COLUMNS
    from snac_cache.targets.choice import EngineChoice
    from snac_cache.targets.make_parts import make_parts
    from snac_cache.targets.prepare import prepare
    from snac_cache.targets.request import TargetRequest

    def sent(count: int) -> tuple[int, int]:
        rows = [
            {"utterance_id": f"{n:09}", "split": "train", "audio_path": f"/{n:09}"}
            | {"source_sample_rate": 16000, "num_frames": 99999, "duration_s": 6.0}
            for n in range(count)
        ]
        table = pa.Table.from_pylist(rows, schema=COLUMNS)
        choice = EngineChoice("resample")
        folder = tmp_path / f"{count:09}"
        request = TargetRequest(folder, choice, max_lag=960, devices=["cpu"] * 2, part_rows=50)
        plan = prepare({"train": table, "val": table.slice(0, 0)}, request)
        assert len(plan.parts) == count // 50
        task = partial(make_parts, plan=plan, request=request, with_engine=False)
        return len(ForkingPickler.dumps(task)), len(ForkingPickler.dumps(plan.parts[1]))

    assert sent(100) == sent(10_000)
