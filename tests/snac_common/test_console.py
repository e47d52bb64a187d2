"""A command's manners, seen from outside: exit codes, messages, interruptions, pipes."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import unicodedata
from ast import literal_eval
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snac_common.console import note, print_summary, visible

SCRIPT = '''
import signal, sys, time
from pathlib import Path
import click
from snac_common import progress as progress_module
from snac_common.console import note, print_summary
from snac_common.errors import BadInput, Failure
from snac_common.progress import progress, track
from snac_common.tool import Tool

@click.command(cls=Tool, example="probe --how ok")
@click.option("--how", default="ok", help="What happens.")
@click.option("--saved", type=Path, help="Created on the way out.")
def main(how, saved):
    """Do what is asked."""
    progress_module.SECONDS_BETWEEN_LINES = 0.0
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & has it ignored
    try:
        if how == "fail":
            raise Failure("the disk is full: delete something")
        if how == "bad":
            raise BadInput("no such thing as --how bad")
        if how == "missing":
            Path("/no/such/file").read_text()
        if how == "bug":
            raise KeyError("a mistake of ours")
        if how == "wait":
            print("ready", flush=True)
            try:
                time.sleep(60)
            except Exception:
                pass
        if how == "flood":
            while True:
                click.echo("x" * 1000)
        if how == "track":
            for item in track(range(3), 3, "counting", "files"):
                click.echo(item)
        if how == "unknown total":
            with progress(None, "counting", "files") as advance:
                advance(2)
        print_summary(how=how, name="Zo\\u00eb")
    finally:
        if saved:
            saved.touch()

main()
'''


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command line of a small command."""
    path = tmp_path_factory.mktemp("probe") / "probe.py"
    path.write_text(SCRIPT)
    return [sys.executable, str(path)]


def run(probe: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*probe, *arguments], capture_output=True, text=True, check=False)


def test_success_ends_in_one_json_line_on_stdout(probe: list[str]) -> None:
    result = run(probe)
    assert result.returncode == 0
    assert json.loads(result.stdout) == {"how": "ok", "name": "Zoë"}
    assert result.stdout.count("\n") == 1
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("how", "code", "message"),
    [
        ("fail", 1, "error: the disk is full: delete something\n"),
        ("bad", 2, "error: no such thing as --how bad\n"),
        ("missing", 1, "error: /no/such/file: No such file or directory\n"),
    ],
)
def test_failures_are_one_message_and_an_exit_code(
    probe: list[str], how: str, code: int, message: str
) -> None:
    result = run(probe, "--how", how)
    assert (result.returncode, result.stdout, result.stderr) == (code, "", message)


def test_our_own_mistakes_keep_their_traceback(probe: list[str]) -> None:
    result = run(probe, "--how", "bug")
    assert result.returncode == 1
    assert "Traceback" in result.stderr


def test_usage_errors_exit_with_2(probe: list[str]) -> None:
    result = run(probe, "--what")
    assert (result.returncode, result.stdout) == (2, "")
    assert "No such option" in result.stderr


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_shows_defaults_and_the_example(probe: list[str], option: str) -> None:
    result = run(probe, option)
    assert result.returncode == 0
    assert "[default: ok]" in result.stdout
    assert result.stdout.rstrip().endswith("probe --how ok")


@pytest.mark.parametrize(
    ("number", "code", "message"),
    [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 143, "terminated\n")],
)
def test_signals_put_everything_away_and_have_their_exit_codes(
    probe: list[str], tmp_path: Path, number: signal.Signals, code: int, message: str
) -> None:
    """Also from inside code that catches every Exception, as the probe does."""
    saved = tmp_path / "saved"
    process = subprocess.Popen(
        [*probe, "--how", "wait", "--saved", str(saved)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (code, message)
    assert saved.exists()


def test_a_closed_pipe_ends_the_command_quietly(probe: list[str]) -> None:
    process = subprocess.Popen(
        [*probe, "--how", "flood"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 0


def test_progress_is_plain_lines_where_there_is_no_terminal(probe: list[str]) -> None:
    result = run(probe, "--how", "track")
    assert result.stdout.splitlines()[:3] == ["0", "1", "2"]
    lines = result.stderr.splitlines()
    assert lines[0].startswith("counting: 1/3 files, ")
    assert lines[-1].startswith("counting: 3/3 files, ")
    assert "s left" in lines[0]
    assert "\r" not in result.stderr
    assert "counting: 2 files, " in run(probe, "--how", "unknown total").stderr


def test_progress_is_a_bar_on_a_terminal(probe: list[str]) -> None:
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, 80))
    result = subprocess.run(
        [*probe, "--how", "track"], stdout=subprocess.PIPE, stderr=follower, check=False
    )
    os.close(follower)
    shown = os.read(leader, 65536).decode()
    os.close(leader)
    assert result.returncode == 0
    assert "counting: 100%" in shown
    assert "\r" in shown


def test_a_summary_is_json_whatever_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    nan, infinite = float("nan"), float("inf")
    print_summary(hours=nan, rates=[1.5, -infinite], kinds={"a": (nan, 2)}, name="Zoë")
    text = capsys.readouterr().out
    assert json.loads(text, parse_constant=pytest.fail) == {
        "hours": None,
        "rates": [1.5, None],
        "kinds": {"a": [None, 2]},
        "name": "Zoë",
    }


def test_a_summary_keeps_a_terminal_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(name="\x9b31m\udc80\u202e\x1b[2J")
    text = capsys.readouterr().out
    assert text.rstrip("\n").isprintable()
    assert json.loads(text)["name"] == "\x9b31m\udc80\u202e\x1b[2J"


def test_control_characters_are_shown_as_escapes() -> None:
    assert visible("\x1b[2J\x9b1m\r\n\t\x07\x7f\u2028\u202e\udc80") == (
        r"\x1b[2J\x9b1m\r\n\t\x07\x7f\u2028\u202e\udc80"
    )
    assert visible("Zoë 日本 👩‍🚀 مرحبا a b") == "Zoë 日本 👩‍🚀 مرحبا a b"


@given(st.text())
def test_what_is_visible_is_the_same_text_and_changes_no_terminal(text: str) -> None:
    shown = visible(text)
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in shown)
    if "\\" not in text:
        shown = re.sub(r"\\(u....|x..|.)", lambda found: literal_eval(f"'{found[0]}'"), shown)
        assert shown == text


def test_notes_have_lines_but_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    note("a table\n\tof two lines\x1b[2J\r\x9b")
    assert capsys.readouterr().err == "a table\n\tof two lines\\x1b[2J\\r\\x9b\n"
