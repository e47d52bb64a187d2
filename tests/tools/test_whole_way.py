"""Which commands the scripts of the phases give, and when they give one again."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Instead of running a command it writes down which; snac-manifest leaves a manifest, as it does
# also where it fails.
UV = """#!/usr/bin/env bash
[ "$1" = run ] || exit 0
shift 4 # run --no-sync --project ROOT
echo "$*" >>"$STEPS"
[ "$1" = snac-manifest ] || exit 0
mkdir -p "$SNAC_ARTIFACTS/manifests" && touch "$SNAC_ARTIFACTS/manifests/train.parquet"
exit "$MANIFEST_STATUS"
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with speech in it, and a ``uv`` that runs nothing."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/uv").write_text(UV)
    (tmp_path / "bin/uv").chmod(0o755)
    (tmp_path / "speech").mkdir()
    return tmp_path


def steps(
    place: Path, *options: str, manifest_status: int = 0, script: str = "phase12.sh"
) -> tuple[int, list[str]]:
    """Run a script, phase 12's by default; return its exit code and the commands that it gave."""
    written = place / "steps"
    written.write_text("")
    variables = {
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
        "SNAC_ARTIFACTS": str(place / "art"),
        "STEPS": str(written),
        "MANIFEST_STATUS": str(manifest_status),
    }
    done = subprocess.run(
        [ROOT / "tools" / script, place / "speech", *options],
        env=os.environ | variables,
        capture_output=True,
        check=False,
    )
    return done.returncode, written.read_text().splitlines()


def names(commands: list[str]) -> list[str]:
    return [command.split()[0] for command in commands]


def test_a_manifest_with_too_many_rejects_is_not_gone_on_with(place: Path) -> None:
    """snac-manifest writes it, and then fails: that it is there says nothing."""
    for _ in range(2):
        assert steps(place, manifest_status=1) == (1, [f"snac-manifest {place / 'speech'}"])
    code, commands = steps(place, "--max-reject-rate=0.5")
    assert (code, commands[0]) == (0, f"snac-manifest {place / 'speech'} --max-reject-rate 0.5")
    code, commands = steps(place)
    assert (code, names(commands)[0]) == (0, "snac-upsample"), "an accepted one is kept"


def test_gpus_are_for_every_command_that_computes(place: Path) -> None:
    code, commands = steps(place, "--gpus", "0,1", "--limit", "5")
    assert code == 0
    given = {command.split()[0]: command for command in commands}
    assert list(given) == [
        "snac-manifest", "snac-upsample", "snac-cache", "snac-check", "snac-train", "snac-eval"
    ]  # fmt: skip
    with_gpus = [name for name, command in given.items() if " --gpus 0,1" in command]
    assert with_gpus == ["snac-upsample", "snac-cache", "snac-train", "snac-eval"]
    limited = [name for name, command in given.items() if " --limit 5" in command]
    assert limited == ["snac-cache", "snac-train"]


def test_each_option_goes_to_the_commands_that_know_it(place: Path) -> None:
    """After --limit, --append; Sidon's files and what exists already; and which audio is taken."""
    options = {
        "snac-manifest": ["--min-duration", "0.3", "--val-ratio", "0.1", "--group-by", "^(..)"],
        "snac-upsample": ["--sidon-decoder", "d.pt", "--from", "train=a", "--from=b", "--correct"],
        "snac-cache": ["--append"],
        "snac-train": ["--epochs", "3"],
    }
    everywhere = ["--max-reject-rate", "1"]
    code, commands = steps(place, *(o for given in options.values() for o in given), *everywhere)
    assert code == 0
    by_name = {command.split()[0]: command.split()[1:] for command in commands}
    for name, given in options.items():
        expected = " ".join(given).replace("--from=b", "--from b").split()
        assert [word for word in by_name[name] if word in expected] == expected, name
        others = [o for other in options if other != name for o in options[other] if o[0] == "-"]
        assert not set(others) & set(by_name[name]), name
    assert all("--max-reject-rate" in given for n, given in by_name.items() if n != "snac-check")


def test_in_the_quick_start_rejects_and_short_clips_are_let_through(place: Path) -> None:
    code, commands = steps(place, script="quickstart.sh")
    assert code == 0
    given = {command.split()[0]: command for command in commands}
    assert "--min-duration 0.3" in given["snac-manifest"]
    for name in ("snac-manifest", "snac-upsample", "snac-cache", "snac-train", "snac-eval"):
        assert "--max-reject-rate 1" in given[name], name
