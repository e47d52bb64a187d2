"""The loss curve of a small fixed run, to five digits: what changes it must be meant to."""

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the curve is that of x86-64")
@pytest.mark.parametrize(
    "name", ["curve", "fast", pytest.param("adversarial", marks=pytest.mark.campaign)]
)
def test_the_curve_is_the_one_in_the_repository(name: str) -> None:
    printed = subprocess.run(
        [sys.executable, str(GOLDEN / "curve.py"), name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert printed.returncode == 0, printed.stderr
    measured = [json.loads(line) for line in printed.stdout.splitlines() if line[:1] == "{"]
    expected = [json.loads(line) for line in (GOLDEN / f"{name}.jsonl").read_text().splitlines()]
    nearly = [
        {
            name: pytest.approx(value, rel=2e-5) if isinstance(value, float) else value
            for name, value in entry.items()
        }
        for entry in expected
    ]
    assert measured == nearly, "if that is meant: golden/curve.py says how to renew it"
