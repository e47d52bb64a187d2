"""Reading what a run says of itself: ``recipe.toml`` and ``run.json``."""

import tomllib
from pathlib import Path
from typing import Any

from snac_common.errors import Failure
from snac_common.run_files import RunState

TABLES = ("counts", "data", "cache")  # of run.json, which may lack any of them


def read_recipe(path: Path) -> dict[str, dict[str, Any]] | None:
    """Read a recipe; None where there is none. Raises Failure if it is damaged."""
    try:
        recipe = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    for name, table in recipe.items():
        if not isinstance(table, dict):
            raise _damaged(path, f"{name} is no table")
    return recipe


def read_state(path: Path) -> dict[str, Any]:
    """Read ``run.json``; empty where there is none. Raises Failure if it is damaged."""
    return RunState.read(path).fields() if path.exists() else {}


def checked_state(state: Any, where: Path | str) -> dict[str, Any]:
    """Return what a run says of its data, if it makes sense; raises Failure otherwise."""
    if not isinstance(state, dict):
        raise _damaged(where, "it holds no JSON object")
    for name in TABLES:
        if not isinstance(state.get(name), dict | None):
            raise _damaged(where, f"{name} is no object")
    return {name: value for name, value in state.items() if value is not None}


def _damaged(where: Path | str, why: str) -> Failure:
    return Failure(f"{where} is damaged: {why}")
