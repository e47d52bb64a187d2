"""Every command, as a parameter."""

import tomllib
from importlib import import_module
from pathlib import Path

import click
import pytest

PACKAGES = Path(__file__).parents[2] / "packages"


def commands() -> dict[str, click.Command]:
    """Return the commands of all packages by their names."""
    found = {}
    for path in sorted(PACKAGES.glob("*/pyproject.toml")):
        scripts = tomllib.loads(path.read_text())["project"].get("scripts", {})
        for name, place in scripts.items():
            module, function = place.split(":")
            found[name] = getattr(import_module(module), function)
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "entry" in metafunc.fixturenames:
        found = commands()
        metafunc.parametrize("entry", found.values(), ids=found)
