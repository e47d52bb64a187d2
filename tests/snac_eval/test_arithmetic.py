"""A GPU measures in full float32 from the first resampling to the last metric."""

import pytest
import torch
from evaluation import Workplace

from snac_eval.metrics import perceptual
from snac_eval.metrics.pairs import Measure, Pair


def test_tf32_is_off_while_anything_is_measured(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[tuple[bool, bool]] = set()

    def look(pair: Pair) -> dict[str, float]:
        seen.add((torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32))
        return {"pesq": 1.0}

    monkeypatch.setitem(perceptual.METRICS, "pesq", Measure(("pesq",), look))
    monkeypatch.setitem(perceptual.LIBRARIES, "pesq", ())
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = True, True
    try:
        workplace.evaluate(workplace.base, "--limit", 1, "--perceptual", "pesq")
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
    assert seen == {(False, False)}


def test_only_the_libraries_of_what_is_asked_for_are_needed(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(perceptual.LIBRARIES, "dnsmos", ("not_installed_anywhere",))
    monkeypatch.setitem(perceptual.LIBRARIES, "stoi", ("json",))
    perceptual.require_libraries(["stoi"])
    result = workplace.run(workplace.base, "--perceptual", "dnsmos")
    assert (result.exit_code, "needs not_installed_anywhere" in result.stderr) == (1, True)
