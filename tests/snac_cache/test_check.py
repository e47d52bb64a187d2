"""Every check passes on a clean cache, and is seen failing on one damaged in its very way."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from damages import (
    CHECK,
    DAMAGES,
    WARNINGS,
    Damage,
    agree,
    change_metadata,
    failed,
    outcomes,
    part,
    rewrite_manifest,
)
from made_cache import with_values, write_cache
from workplace import last_line, on_a_terminal, run, succeed, write_tone

from snac_cache.checks.runner import PACKAGED


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact root with nothing wrong in it; not to be changed."""
    root = tmp_path_factory.mktemp("clean") / "artifacts"
    write_cache(root)
    return root


@pytest.fixture
def damaged(clean: Path, tmp_path: Path) -> Path:
    """A copy, to be damaged."""
    return Path(shutil.copytree(clean, tmp_path / "artifacts"))


def test_a_clean_cache_passes_every_check(clean: Path) -> None:
    found = outcomes(clean)
    assert {name: entry["result"] for name, entry in found.items()} == dict.fromkeys(
        DAMAGES, "pass"
    )
    counts = {"pass": len(DAMAGES), "warn": 0, "fail": 0, "skip": 0}
    assert last_line(on_a_terminal(CHECK, "--artifacts", clean)) == counts


def test_a_check_is_skipped_where_the_manifest_lacks_its_column(damaged: Path) -> None:
    for split in ("train", "val"):
        rewrite_manifest(split, lambda table: table.drop_columns(["speaker", "text"]))(damaged)
    found = outcomes(damaged)
    for name, column in (("speakers_across_splits", "speaker"), ("texts", "text")):
        assert found[name]["result"] == "skip"
        assert found[name]["skipped"] == f"manifest has no column {column}"
    shown = on_a_terminal(CHECK, "--artifacts", damaged)
    counts = {"pass": len(DAMAGES) - 2, "warn": 0, "fail": 0, "skip": 2}
    assert (shown.exit_code, last_line(shown)) == (0, counts)
    assert "texts: skip, manifest has no column text" in shown.stdout
    assert "texts: skip, manifest has no column text" in run(CHECK, "--artifacts", damaged).stderr


def test_a_check_of_ones_own_may_need_columns(clean: Path, tmp_path: Path) -> None:
    checks = {"have": "manifest.text, codes.speaker", "lack": "manifest.text, codes.mood"}
    for name, needs in checks.items():
        text = f"-- It holds.\n-- severity: fail\n-- needs: {needs}\nSELECT 1"
        (tmp_path / f"{name}.sql").write_text(text)
    chosen = ["--checks-dir", tmp_path, "--only", "have", "--only", "lack"]
    found = outcomes(clean, *chosen)
    assert {name: entry["result"] for name, entry in found.items()} == {
        "have": "fail",
        "lack": "skip",
    }


def test_a_table_is_for_people_and_json_for_programs(clean: Path) -> None:
    piped = run(CHECK, "--artifacts", clean)
    assert len(json.loads(piped.stdout)["checks"]) == len(DAMAGES)
    for columns in (40, 80):
        shown = on_a_terminal(CHECK, "--artifacts", clean, columns=columns).stdout
        table, _ = shown.split("\n\n", 1)
        assert table.startswith("check ")
        assert max(map(len, table.splitlines())) <= columns
    assert "checks" in last_line(on_a_terminal(CHECK, "--json", "--artifacts", clean))


def test_every_check_has_its_damage() -> None:
    assert {path.stem for path in PACKAGED.glob("*.sql")} == set(DAMAGES)


@pytest.mark.parametrize("name", DAMAGES)
def test_each_check_sees_its_damage(damaged: Path, name: str) -> None:
    DAMAGES[name](damaged)
    alone = run(CHECK, "--artifacts", damaged, "--only", name)
    severity = "warn" if name in WARNINGS else "fail"
    assert alone.exit_code == (0 if severity == "warn" else 1), alone.stdout
    assert last_line(alone)[severity] == 1
    found = outcomes(damaged)[name]  # also where all others run over the same damage
    assert found["result"] == found["severity"] == severity
    assert found["count"] >= 1
    assert found["error"] is None
    assert found["examples"]


def copy_part(root: Path) -> None:
    """Leave a part that nobody planned."""
    shutil.copy(part(root), part(root, 9))


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda root: part(root, 3).unlink(), "is planned, but not there"),
        (copy_part, "is not in the plan"),
        (
            change_metadata("snac.part", lambda record: {**record, "source_sha256": "4"}),
            "was made from other rows",
        ),
        (change_metadata("snac.part", lambda record: 1), "was made from other rows"),
    ],
)
def test_parts_are_those_of_the_plan(damaged: Path, damage: Damage, problem: str) -> None:
    damage(damaged)
    found = outcomes(damaged)["plan"]
    assert (found["result"], found["count"]) == ("fail", 1)
    assert problem in found["examples"][0]["problem"]


def lose_agreement(root: Path) -> None:
    agree(0, 0, 0, 1, 2, 3)(root)
    shutil.rmtree(root / "codes" / "val")


def describe_agreement(root: Path) -> None:
    """Let cache.json tell of less than its parts."""
    path = root / "codes" / "cache.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "token_agreement": 0.67}))


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (agree(991, 1000, 0, 1, 2, 3), None),
        (agree(980, 1000, 0, 1, 2, 3), "too few tokens are equal"),
        (agree(4, 5, 2), "too few tokens of this part are equal"),
        (agree(0, 0, 1, 2, 3), None),
        (lose_agreement, "nothing was compared"),
        (describe_agreement, "too few tokens are equal"),
    ],
)
def test_most_tokens_are_equal_to_those_of_exact_arithmetic(
    damaged: Path, damage: Damage, problem: str | None
) -> None:
    damage(damaged)
    found = outcomes(damaged, "--only", "token_agreement")["token_agreement"]
    assert found["result"] == ("fail" if problem else "pass")
    assert [row["problem"] for row in found["examples"]] == ([problem] if problem else [])


def test_an_id_that_is_in_both_manifests_is_in_two_splits(damaged: Path) -> None:
    val = damaged / "manifests" / "val.parquet"
    rewrite_manifest("train", lambda table: pa.concat_tables([table, pq.read_table(val)]))(damaged)
    found = outcomes(damaged, "--only", "one_split")["one_split"]
    assert (found["result"], found["count"]) == ("fail", 6)


def test_rows_may_lie_in_another_folder_than_their_split(damaged: Path) -> None:
    """Nothing is encoded again when the manifest moves an utterance to the other split."""
    moved = []

    def take_from_train(table: pa.Table) -> pa.Table:
        moved.append(with_values(table.slice(0, 1), "split", ["val"]))
        return table.slice(1)

    rewrite_manifest("train", take_from_train)(damaged)
    rewrite_manifest("val", lambda table: pa.concat_tables([table, moved[0]]))(damaged)
    found = outcomes(damaged)
    assert found.pop("speakers_across_splits")["result"] == "warn"  # it is one of train's
    assert {entry["result"] for entry in found.values()} == {"pass"}


def test_new_rows_of_the_manifest_are_named(damaged: Path) -> None:
    def add(table: pa.Table) -> pa.Table:
        new = with_values(table.slice(0, 2), "utterance_id", ["new/1", "new/2"])
        return pa.concat_tables([table.slice(1), new])

    rewrite_manifest("train", add)(damaged)
    found = outcomes(damaged, "--only", "same_manifest")["same_manifest"]
    assert (found["result"], found["count"]) == ("warn", 3)
    named = {row["utterance_id"]: row["problem"] for row in found["examples"]}
    assert set(named) == {"new/1", "new/2", "train/0000"}
    assert "not in the manifest" in named["train/0000"]


def test_a_target_whose_name_has_a_backslash_is_found(damaged: Path) -> None:
    odd = damaged / "audio48k" / "a\\b.flac"
    odd.touch()

    def name_it(table: pa.Table) -> pa.Table:
        paths = table.column("target_path").to_pylist()
        return with_values(table, "target_path", [str(odd), *paths[1:]])

    rewrite_manifest("train", name_it)(damaged)
    assert failed(damaged) == set()
    odd.unlink()
    assert failed(damaged) == {"targets"}


def test_own_checks_join_in(clean: Path, tmp_path: Path) -> None:
    body = "SELECT utterance_id FROM codes WHERE channels = 1"
    (tmp_path / "stereo.sql").write_text(f"-- All is stereo.\n-- severity: warn\n{body};\n")
    result = run(CHECK, "--artifacts", clean, "--checks-dir", tmp_path, "--json")
    assert result.exit_code == 0
    (own,) = (entry for entry in last_line(result)["checks"] if entry["check"] == "stereo")
    assert (own["result"], own["count"], own["proves"]) == ("warn", 65, "All is stereo.")
    assert len(own["examples"]) == 3


def test_an_own_check_that_cannot_run_proves_nothing(clean: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong.sql").write_text("-- Some.\n-- severity: warn\nSELECT nothing FROM codes")
    result = run(CHECK, "--artifacts", clean, "--checks-dir", tmp_path, "--only", "wrong")
    assert result.exit_code == 1
    assert "nothing" in result.stdout


@pytest.mark.parametrize("asked", ["check", "sql"])
def test_too_little_memory_is_no_fault_of_the_cache(
    clean: Path, tmp_path: Path, asked: str
) -> None:
    query = "SELECT len(list(number)) FROM range(9000000) AS numbers(number)"
    (tmp_path / "large.sql").write_text(f"-- It fits.\n-- severity: warn\n{query}")
    chosen = ["--checks-dir", tmp_path, "--only", "large"] if asked == "check" else ["--sql", query]
    little = run(CHECK, "--artifacts", clean, *chosen, "--memory", "40MB")
    assert little.exit_code == 1
    assert "give snac-check more, such as --memory 8GB" in little.stderr
    assert "fails" not in little.stderr
    assert run(CHECK, "--artifacts", clean, *chosen, "--memory", "1GB").exit_code == 0
    assert "no size" in run(CHECK, "--artifacts", clean, "--memory", "8 apples").stderr


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("bare", "SELECT 1", "-- severity"),
        ("bad", "-- Some.\n-- severity: maybe\nSELECT 1", "-- severity"),
        ("runs", "-- Some.\n-- severity: fail\nSELECT 1", "of that name already"),
    ],
)
def test_a_file_that_is_no_check_is_refused(
    clean: Path, tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / f"{name}.sql").write_text(text)
    result = run(CHECK, "--artifacts", clean, "--checks-dir", tmp_path)
    assert result.exit_code == 2
    assert message in result.stderr


def test_bad_requests_say_what_to_do(clean: Path, tmp_path: Path) -> None:
    nothing = run(CHECK, "--artifacts", tmp_path)
    assert nothing.exit_code == 1
    assert "Run snac-cache" in nothing.stderr
    unknown = run(CHECK, "--artifacts", clean, "--only", "runz")
    assert unknown.exit_code == 2
    assert "runs" in unknown.stderr


def test_a_real_cache_fails_once_its_audio_is_replaced(tmp_path: Path, model_folder: Path) -> None:
    for number in range(5):
        split = "val" if number == 4 else "train"
        write_tone(tmp_path / "speech" / split / f"{number}.wav", 1.0 + 0.137 * number)
    places = ["--artifacts", tmp_path / "artifacts"]
    succeed("snac_cache.cli.manifest", tmp_path / "speech", *places)
    options = ["--model", model_folder, "--limit", 3, "--device", "cpu", "--workers", 1]
    succeed("snac_cache.cli.cache", *places, *options)
    results = {name: entry["result"] for name, entry in outcomes(tmp_path / "artifacts").items()}
    assert {name for name, result in results.items() if result == "fail"} == set()
    assert results["same_manifest"] == "warn"  # one row was left out
    replaced = tmp_path / "speech" / "val" / "4.wav"
    audio, rate = soundfile.read(replaced)
    soundfile.write(replaced, audio[::-1], rate)
    succeed("snac_cache.cli.manifest", tmp_path / "speech", *places)
    found = outcomes(tmp_path / "artifacts")["unchanged_audio"]
    assert (found["result"], found["count"]) == ("fail", 1)
    assert found["examples"][0]["audio_path"] == str(replaced)


def test_the_command_needs_no_torch(clean: Path) -> None:
    program = (
        "import sys; from snac_cache.cli.check import main; "
        f"main(['--artifacts', {str(clean)!r}], standalone_mode=False); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
