"""Workers have the environment that their command gave itself before torch was loaded."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os
import click
from snac_cache.work.workers import prepare_workers, run_workers
from snac_common.console import print_summary
from snac_common.tool import Tool

def tell(number, items, send):
    for item in items:
        send(os.environ.get("OMP_WAIT_POLICY"))

@click.command(cls=Tool, example="snac-probe")
def main():
    prepare_workers("json")
    said = []
    run_workers(tell, range(4), said.append, 2)
    print_summary(said=said)

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize(("given", "expected"), [(None, "passive"), ("active", "active")])
def test_a_worker_waits_as_its_command_does(
    tmp_path: Path, given: str | None, expected: str
) -> None:
    (tmp_path / "probe.py").write_text(SCRIPT)
    environment = {name: text for name, text in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment |= {} if given is None else {"OMP_WAIT_POLICY": given}
    done = subprocess.run(
        [sys.executable, str(tmp_path / "probe.py")],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["said"] == [expected] * 4
