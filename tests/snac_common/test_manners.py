"""What every command does for whoever calls it: answers, silence, version, widths, errors."""

import errno
import json
import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from snac_common.console import note, print_summary
from snac_common.devices import choose_device
from snac_common.earlier_options import ELSEWHERE
from snac_common.errors import Failure
from snac_common.files import check_writable
from snac_common.full_disk import cannot_write, in_words
from snac_common.options import device_option
from snac_common.progress import progress, rate
from snac_common.tool import Tool

PROBE = """
import os, sys
import click
from snac_common.console import note, print_summary
from snac_common.errors import Failure
from snac_common.progress import track
from snac_common.tool import Tool

@click.command(cls=Tool, example="snac-probe")
@click.option("--name", default="x")
@click.option("--fail", is_flag=True)
def main(name, fail):
    "Do."
    for item in track(range(3), 3, "counting some of the many things that there are", "files"):
        note(f"item {item}")
    if fail:
        raise Failure("it failed")
    print_summary(name=name, waits=os.environ.get("OMP_WAIT_POLICY"), share=1 / 3, count=123456789)

main()
"""


@click.command(cls=Tool, example="snac-train --phase 12")
@click.option("--batch-size", type=int, default=1)
@click.option("--split", type=click.Choice(["train", "val"]), default="val")
@click.option("--gpus")
@device_option
def train(**options: Any) -> None:
    """Do."""
    print_summary(**options)


@click.command(cls=Tool, example="snac-decode in -o out")
@device_option
def decode(**options: object) -> None:
    """Do."""


def answer(command: click.Command, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def probe(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: text for name, text in os.environ.items() if name != "OMP_WAIT_POLICY"}
    return subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def on_a_terminal(columns: int, *arguments: str, **variables: str) -> tuple[int, str]:
    """Run the probe with all three streams on a terminal; return its exit code and output."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, columns))
    process = subprocess.Popen(
        [sys.executable, "-c", PROBE, *arguments],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=os.environ | {"TERM": "xterm"} | variables,
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            some = os.read(leader, 65536)
        except OSError:
            break
        if not some:
            break
        shown += some
    os.close(leader)
    return process.wait(), shown.decode()


def test_waiting_threads_sleep_unless_the_user_says_otherwise() -> None:
    assert json.loads(probe().stdout)["waits"] == "passive"
    assert json.loads(probe(OMP_WAIT_POLICY="active").stdout)["waits"] == "active"


def test_an_option_with_underscores_is_answered_with_ours() -> None:
    result = answer(train, "--batch_size", "4")
    assert result.exit_code == 2
    assert result.stderr == (
        "error: there is no option --batch_size: write --batch-size. "
        "snac-train --help shows all options.\n"
    )
    assert "write --batch-size" in answer(train, "--batch_size=4").stderr


@pytest.mark.parametrize(
    ("option", "advice"),
    [
        ("--output_dir", "--run NAME"),
        ("--cache_dir", "--codes DIR"),
        ("--phase10_checkpoint", "--base MODEL"),
        ("--num-epochs", "--epochs"),
    ],
)
def test_an_option_that_went_elsewhere_is_answered_with_where(option: str, advice: str) -> None:
    result = answer(train, option, "x")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"there is no option {option}: write {advice}" in result.stderr


def test_an_option_that_is_nearly_right_is_answered_with_the_nearest() -> None:
    assert "'--batch-size'" in answer(train, "--bath-size", "4").stderr


def test_the_table_of_earlier_options_names_no_option_that_exists(entry: Tool) -> None:
    ours = {name.lstrip("-") for option in entry.params for name in option.opts}
    assert not ours & set(ELSEWHERE.get(str(entry.name), {}))


def test_an_unknown_value_is_answered_with_the_nearest() -> None:
    result = answer(train, "--split", "vall")
    assert result.exit_code == 2
    assert "'vall' is not one of 'train', 'val'. Did you mean 'val'?" in result.stderr


def test_a_number_as_device_is_answered_with_gpus() -> None:
    assert "write --gpus 0." in answer(train, "--device", "0").stderr
    assert "write --gpus 0,1." in answer(train, "--device", "cuda:0,1").stderr
    there_are_none = answer(decode, "--device", "1").stderr
    assert "--gpus" not in there_are_none
    assert "CUDA_VISIBLE_DEVICES=1" in there_are_none


def test_every_command_tells_its_version(entry: Tool) -> None:
    result = answer(entry, "--version")
    assert result.exit_code == 0
    assert re.fullmatch(rf"{entry.name} \d+\.\d+\.\d+\n", result.stdout)


def test_quiet_leaves_errors_and_results_alone() -> None:
    quiet = probe("--quiet", "--fail")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (1, "", "error: it failed\n")
    quiet = probe("-q")
    assert (json.loads(quiet.stdout)["name"], quiet.stderr) == ("x", "")
    assert "item 0" in probe().stderr


def test_every_command_can_be_quiet(entry: Tool) -> None:
    assert {"--quiet", "--version"} <= {name for option in entry.params for name in option.opts}


def test_colour_is_for_errors_on_a_terminal_alone() -> None:
    code, shown = on_a_terminal(80, "--fail", NO_COLOR="")
    assert code == 1
    assert "\x1b[31m" in shown.split("it failed")[0].splitlines()[-1]
    assert "\x1b[31m" not in on_a_terminal(80, "--fail", NO_COLOR="1")[1]
    assert "\x1b[3" not in on_a_terminal(80, NO_COLOR="")[1]
    assert "\x1b" not in probe("--fail").stderr


def test_a_note_clears_the_line_that_it_is_written_to() -> None:
    """A bar may be there, or the ^C that the terminal shows."""
    _, shown = on_a_terminal(80)
    notes = re.findall(r"(.*)item \d", shown)
    assert len(notes) == 3
    assert all(before.endswith("\r\x1b[K") for before in notes)
    assert "\x1b[K" not in on_a_terminal(80, TERM="dumb")[1]


def test_a_bar_is_no_wider_than_the_terminal() -> None:
    _, shown = on_a_terminal(40)
    bars = [line for line in re.split(r"[\r\n]", shown) if "counting" in line]
    assert bars
    assert max(map(len, bars)) <= 40


def test_rates_have_one_unit_and_some_digits() -> None:
    assert [rate(value) for value in (0.0, 0.0312, 0.5, 3.16, 25.27, 1234.5)] == [
        "0/s",
        "0.0312/s",
        "0.5/s",
        "3.16/s",
        "25.3/s",
        "1,234/s",
    ]


def test_a_bar_never_turns_its_rate_round(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    times = iter(range(0, 10_000, 60))
    monkeypatch.setattr("tqdm.std.time", lambda: next(times))
    with progress(10, "encode", "utterances") as advance:
        for _ in range(10):
            advance(1)
    shown = capsys.readouterr().err
    assert "/s" in shown
    assert "s/" not in shown.replace("/s", "")


def test_a_summary_has_all_digits_in_a_pipe_and_some_on_a_terminal() -> None:
    assert json.loads(probe().stdout)["share"] == 1 / 3
    _, shown = on_a_terminal(80)
    assert '"share": 0.3333, "count": 123456789}' in shown


@pytest.mark.parametrize("name", ["Zoë", "run 🎤"])
def test_a_summary_is_json_where_only_ascii_can_be_written(name: str) -> None:
    done = probe("--name", name, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["name"] == name


@pytest.mark.parametrize("columns", [40, 80])
def test_help_is_no_wider_than_the_terminal(entry: Tool, columns: int) -> None:
    result = CliRunner().invoke(entry, ["--help"], terminal_width=columns)
    text, example = result.stdout.split("Example:")
    assert max(map(len, text.splitlines())) <= columns
    for line in entry.example.strip().splitlines():
        assert f"  {line}\n" in example + "\n", "an example can be copied"


def test_errors_of_the_system_are_told_without_numbers(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "a"))
    said = in_words(full)
    assert str(tmp_path / "a") in said
    assert "GB are free" in said
    assert "the same command" in said
    read_only = in_words(OSError(errno.EROFS, os.strerror(errno.EROFS), "/mnt/a"))
    assert read_only.startswith("cannot write /mnt/a: Read-only file system. Give a folder")
    assert in_words(OSError(errno.ENOENT, "No such file or directory", "a")) == (
        "a: No such file or directory"
    )
    assert in_words(OSError("odd")) == "odd"
    kept = str(cannot_write(tmp_path / "a", full, "Finished parts are kept."))
    assert kept == f"{said} Finished parts are kept."
    assert "Errno" not in kept + said + read_only


def test_a_folder_is_probed_before_there_is_anything_to_write(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "codes", tmp_path / "file", Path("/proc/codes")):
        with pytest.raises(Failure, match=f"cannot write to {place}"):
            check_writable(place)


def test_that_there_is_no_gpu_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    choose_device("auto")
    choose_device("auto")
    assert capsys.readouterr().err.count("no GPU found") <= 1
    choose_device("auto", say=False)
    assert capsys.readouterr().err == ""


def test_notes_are_kept_back_only_while_a_command_is_quiet(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer(train, "--quiet")
    answer(train)
    note("here")
    assert capsys.readouterr().err == "here\n"
