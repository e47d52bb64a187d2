"""Give tests every package of the workspace, or every command, as parameters."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

PACKAGES = sorted((Path(__file__).parents[2] / "packages").iterdir())


def project(package: Path) -> dict[str, Any]:
    """Return the ``[project]`` table of a package's pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    return table


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "entry_point" in metafunc.fixturenames:
        scripts = [item for path in PACKAGES for item in project(path).get("scripts", {}).items()]
        metafunc.parametrize("command, entry_point", scripts, ids=[name for name, _ in scripts])
    elif "package" in metafunc.fixturenames:
        metafunc.parametrize("package", PACKAGES, ids=[path.name for path in PACKAGES])


@pytest.fixture
def table(package: Path) -> dict[str, Any]:
    """The ``[project]`` table of the package under test."""
    return project(package)
