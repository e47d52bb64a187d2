"""``docs/commands.md`` says what is so: commands, exit codes, variables, completion."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/commands.md").read_text()
OURS = {"SNAC_TRAIN_LOCK", "SNAC_TRAIN_LAUNCHER"}  # from one of our processes to another
COMPLETE = "import sys; from importlib import import_module as i; i({!r}).main(prog_name={!r})"


def test_every_command_is_listed(command: str, entry_point: str) -> None:
    assert f"`{command}`" in PAGE
    assert command.removeprefix("snac-") in PAGE.split("for name in ")[1].split(";")[0].split()


def test_every_variable_that_a_command_reads_is_listed() -> None:
    read = {
        name
        for path in (ROOT / "packages").rglob("*.py")
        for name in re.findall(r"\bSNAC_[A-Z]+(?:_[A-Z]+)*\b", path.read_text())
        if "environ" in path.read_text()
    }
    assert {name for name in read - OURS if f"`{name}`" not in PAGE} == set()


@pytest.mark.parametrize("module", ["snac_cache.cli.cache", "snac_train.cli.train"])
def test_the_shell_completes_options_and_values(module: str) -> None:
    command = f"snac-{module.rpartition('.')[2]}"
    line = [sys.executable, "-c", COMPLETE.format(module, command)]
    variable = f"_{command.upper().replace('-', '_')}_COMPLETE"
    script = subprocess.run(
        line, env=os.environ | {variable: "bash_source"}, capture_output=True, text=True, check=True
    )
    assert f"complete -o nosort -F _{command.replace('-', '_')}_completion" in script.stdout
    for typed, expected in (("--dev", "--device"), ("--device c", "cuda")):
        words = {"COMP_WORDS": f"{command} {typed}", "COMP_CWORD": str(len(typed.split()))}
        asked = os.environ | words | {variable: "bash_complete"}
        done = subprocess.run(line, env=asked, capture_output=True, text=True, check=True)
        assert f"plain,{expected}\n" in done.stdout


def test_the_pages_that_it_names_are_there() -> None:
    for page in re.findall(r"\]\(([\w/.-]+\.md)", PAGE):
        assert (ROOT / "docs" / page).is_file()
