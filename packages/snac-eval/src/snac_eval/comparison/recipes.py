"""In what runs differ besides their scores."""

from collections.abc import Sequence
from typing import Any

from snac_eval.comparison.run import Run

FACTS = ("state", "base", "device", "processes")
COUNTS = ("train", "val")


def recipe_differences(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """Return each setting in which runs differ, with a value a run; None where it is not known."""
    tables = [_settings(run) for run in runs]
    names = dict.fromkeys(name for table in tables for name in table)
    settings = {name: [table.get(name) for table in tables] for name in names}
    return {
        name: values
        for name, values in settings.items()
        if any(value != values[0] for value in values)
    }


def _settings(run: Run) -> dict[str, Any]:
    """Return a run's recipe and what it was run on, as one flat table."""
    state = run.source.state
    settings = {name: state.get(name) for name in FACTS}
    settings |= {f"{split} utterances": state.get("counts", {}).get(split) for split in COUNTS}
    for table, values in (run.source.recipe or {}).items():
        settings |= {f"{table}.{name}": value for name, value in values.items()}
    return settings
