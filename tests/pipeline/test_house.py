"""Who imports whom: arrows point down, between packages, their folders, and modules."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.util import find_spec
from pathlib import Path

import pytest

PACKAGES = ("snac_common", "snac_model", "snac_cache", "snac_train", "snac_eval")  # bottom to top
APART = ("snac_train", "snac_eval")  # which meet in files alone
FLOORS = {
    "snac_model": (
        {"shapes"},
        {"layers"},
        {"decoders", "audio", "losses"},
        {"files"},
        {"codec", "discriminators"},
        {"tokens"},
        {"export"},
        {"cli"},
    ),
    "snac_cache": (
        {"schema", "parquet", "fingerprint"},
        {"work"},
        {"manifests"},
        {"sources"},
        {"store"},
        {"encoding"},
        {"targets"},
        {"checks"},
        {"convert"},
        {"rows"},
        {"cli"},
    ),
    "snac_train": (
        {"distributed"},
        {"recipe"},
        {"data"},
        {"training"},
        {"run"},
        {"session"},
        {"legacy", "commands"},
        {"cli"},
        {"__main__"},
    ),
    "snac_eval": (
        {"metrics", "models"},
        {"measuring"},
        {"statistics"},
        {"report"},
        {"comparison", "evaluation"},
        {"cli"},
    ),
}


def root(package: str) -> Path:
    """Return the folder of a package."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def imports_of(source: str, known: set[str]) -> Iterator[str]:
    """Yield the modules that a source imports anywhere in it, also within functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in known else str(node.module) for name in names]
        else:
            continue
        yield from (name for name in names if name in known and name not in PACKAGES)


def module_name(path: Path, package: str) -> str:
    """Return a module's full name."""
    inside = path.relative_to(root(package).parent).with_suffix("")
    return ".".join(part for part in inside.parts if part != "__init__")


def arrows() -> dict[str, set[str]]:
    """Return which of our modules each of them imports.

    A package's own ``__init__`` is left out: it gives the public names, which lie on every floor.
    """
    sources = {
        module_name(path, package): path.read_text()
        for package in PACKAGES
        for path in root(package).rglob("*.py")
    }
    sources = {name: text for name, text in sources.items() if name not in PACKAGES}
    return {name: set(imports_of(source, set(sources))) for name, source in sources.items()}


def floor(module: str) -> int:
    """Return how high up in its package a module lies."""
    package, room = module.split(".")[:2]
    return next(number for number, rooms in enumerate(FLOORS[package]) if room in rooms)


def assert_no_circle(graph: dict[str, set[str]]) -> None:
    """Fail, naming the circle, if there is one."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"they import each other: {' <- '.join(error.args[1])}")


def test_no_modules_import_each_other() -> None:
    assert_no_circle(arrows())


@pytest.mark.parametrize("storeyed", list(FLOORS))
def test_no_folder_imports_from_a_floor_above_it(storeyed: str) -> None:
    upwards = [
        f"{module} imports {imported}"
        for module, imports in arrows().items()
        for imported in imports
        if module.startswith(storeyed)
        and imported.startswith(storeyed)
        and floor(imported) > floor(module)
    ]
    assert upwards == []


def test_packages_import_those_below_them_alone() -> None:
    for module, imports in arrows().items():
        own = module.split(".")[0]
        for imported in imports:
            other = imported.split(".")[0]
            assert PACKAGES.index(other) <= PACKAGES.index(own), f"{module} imports {imported}"
            assert own == other or {own, other} != set(APART), f"{module} imports {imported}"


def test_imports_are_seen_wherever_they_stand() -> None:
    source = (
        "import a.b\nif TYPE_CHECKING:\n    from a import c\ndef f():\n    from a.d import name\n"
    )
    assert set(imports_of(source, {"a", "a.b", "a.c", "a.d"})) == {"a.b", "a.c", "a.d"}
    with pytest.raises(pytest.fail.Exception, match="import each other"):
        assert_no_circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})
