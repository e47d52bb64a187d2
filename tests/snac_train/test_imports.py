"""What users import stands at the top of the package, and costs no torch until it is used."""

import subprocess
import sys

import pytest

import snac_train


def test_every_public_name_resolves() -> None:
    for name in snac_train.__all__:
        assert getattr(snac_train, name).__module__.startswith("snac_train.")
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = snac_train.nonsense


def test_recipes_can_be_read_without_torch() -> None:
    code = (
        "import sys; from snac_train import Recipe, load_recipe; "
        "assert isinstance(load_recipe(12), Recipe); print('torch' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"
