"""Each package stands alone: it declares what it imports, and needs no more to answer."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def distribution(requirement: str) -> str:
    """Return the name in ``torch==2.11.*``, as package indexes compare names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0]).lower()


def imported(package: Path) -> Iterator[tuple[str, str]]:
    """Yield the top-level name of each absolute import of a package, with the file's name."""
    for path in (package / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((alias.name.split(".")[0], path.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.split(".")[0], path.name


def test_a_package_declares_all_that_it_imports(package: Path, table: dict[str, Any]) -> None:
    requirements = [table["name"], *table["dependencies"]]
    for extra in table.get("optional-dependencies", {}).values():
        requirements += extra
    declared = {distribution(requirement) for requirement in requirements}
    homes = packages_distributions()
    for name, file in imported(package):
        owners = {distribution(owner) for owner in homes.get(name, [name])}
        assert name in sys.stdlib_module_names or owners & declared, f"{file} imports {name}"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A place for an environment, filled anew by each test; what they share stays installed."""
    folder = tmp_path_factory.mktemp("alone") / "environment"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_a_package_answers_in_an_environment_of_its_own(
    package: Path, table: dict[str, Any], environment: Path, tmp_path: Path
) -> None:
    install_alone(package.name, environment)
    for command in table.get("scripts", {}):
        answer([environment / "bin" / command, "--help"], tmp_path)
    module = package.name.replace("-", "_")
    answer([environment / "bin" / "python", "-c", f"import {module}"], tmp_path)


def install_alone(package: str, environment: Path) -> None:
    """Build a package and those of the workspace that it needs; install them and no more."""
    uv = os.environ.get("UV") or shutil.which("uv")
    if not uv:
        pytest.skip("uv is not on PATH; tools/test.sh brings it")
    variables = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(environment)}
    options = ["--locked", "--exact", "--no-default-groups", "--no-editable"]
    rebuilt = [f"--reinstall-package={path.name}" for path in (ROOT / "packages").iterdir()]
    answer([uv, "sync", "--package", package, *options, *rebuilt], ROOT, variables)


def answer(
    command: Sequence[Path | str], folder: Path, variables: dict[str, str] | None = None
) -> None:
    """Run a command that must succeed, showing what it said if it did not."""
    done = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
