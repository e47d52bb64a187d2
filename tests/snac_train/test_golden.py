"""The loss curve of a small fixed run, to five digits: what changes it must be meant to."""

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parent / "golden"
SAME_STEPS = {"curve": 4}  # of which processors agree; of the other curves on all
ROUNDED, LOSSES_APART, GRADIENTS_APART = 2e-5, 2e-3, 0.1  # see golden/curve.py


def near(name: str, value: Any, *, singular: bool) -> Any:
    """Return what equals a value as nearly as two processors agree on it."""
    if not isinstance(value, float):
        return value
    measured = singular and not name.startswith(("lr/", "segment_s"))
    apart = (GRADIENTS_APART if name == "grad_norm" else LOSSES_APART) if measured else ROUNDED
    return pytest.approx(value, rel=apart)


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
            field: near(field, value, singular=entry["step"] > SAME_STEPS.get(name, entry["step"]))
            for field, value in entry.items()
        }
        for entry in expected
    ]
    assert measured == nearly, "if that is meant: golden/curve.py says how to renew it"
