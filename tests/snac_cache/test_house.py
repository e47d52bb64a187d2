"""Who imports whom in snac_cache: arrows point down, between modules and between folders."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import snac_cache

PACKAGE = "snac_cache"
ROOT = Path(snac_cache.__file__).parent
FLOORS = (
    {"schema", "parquet", "fingerprint"},
    {"work"},
    {"manifests"},
    {"store"},
    {"encoding"},
    {"targets"},
    {"checks"},
    {"convert"},
    {"cli"},
)


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
        yield from (name for name in names if name in known and name != PACKAGE)


def module_name(path: Path) -> str:
    """Return a module's full name."""
    inside = path.relative_to(ROOT.parent).with_suffix("")
    return ".".join(part for part in inside.parts if part != "__init__")


def arrows() -> dict[str, set[str]]:
    """Return which modules each module imports."""
    sources = {module_name(path): path.read_text() for path in ROOT.rglob("*.py")}
    del sources[PACKAGE]  # gives the public names, which lie on every floor
    return {name: set(imports_of(source, set(sources))) for name, source in sources.items()}


def floor(module: str) -> int:
    """Return how high up a module lies."""
    room = module.split(".")[1]
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def assert_no_circle(graph: dict[str, set[str]]) -> None:
    """Fail, naming the circle, if there is one."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"they import each other: {' <- '.join(error.args[1])}")


def test_no_modules_import_each_other() -> None:
    assert_no_circle(arrows())


def test_no_folder_imports_from_a_floor_above_it() -> None:
    upwards = [
        f"{module} imports {imported}"
        for module, imports in arrows().items()
        for imported in imports
        if floor(imported) > floor(module)
    ]
    assert upwards == []


def test_imports_are_seen_wherever_they_stand() -> None:
    source = (
        "import a.b\nif TYPE_CHECKING:\n    from a import c\ndef f():\n    from a.d import name\n"
    )
    assert set(imports_of(source, {"a", "a.b", "a.c", "a.d"})) == {"a.b", "a.c", "a.d"}
    with pytest.raises(pytest.fail.Exception, match="import each other"):
        assert_no_circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})
