"""Runs from Weights & Biases, online or kept offline, under the names that snac-train logs."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from snac_common.errors import Failure
from snac_eval.comparison.run import Entry, Source
from snac_eval.comparison.run_files import checked_state
from snac_eval.comparison.wandb_file import read_config, read_history
from snac_eval.models.run_metrics import checked

FACTS = "run"  # the key under which snac-train puts what run.json says of a run's data
KINDS = ("val", "baseline", "length")


def online_source(name: str) -> Source:
    """Open the W&B run ``entity/project/id``.

    Raises:
        Failure: if it cannot be reached, or there is no such run.
    """
    import wandb

    try:
        run = wandb.Api().run(name)
    except (wandb.errors.Error, OSError, ValueError) as error:
        raise _unreachable(name, error) from error
    return _source(run.name or run.id, name, run.config, _rows(run, name))


def offline_source(file: Path) -> Source:
    """Open the run that W&B kept offline in a ``.wandb`` file."""
    name = file.resolve().parent.name
    return _source(name, str(file), read_config(file), read_history(file))


def entries(rows: Iterable[dict[str, Any]], where: str) -> Iterator[Entry]:
    """Turn rows of a history back into the lines of ``metrics.jsonl`` that they were.

    Raises:
        Failure: naming ``where`` they are from, if one cannot be such a line.
    """
    for row in rows:
        kind = next((kind for kind in KINDS if row.get(f"{kind}/step") is not None), "train")
        prefix = "" if kind == "train" else f"{kind}/"
        values = {
            name.removeprefix(prefix): value
            for name, value in row.items()
            if name.startswith(prefix) and not name.startswith("_") and value is not None
        }
        if "step" in values:
            yield checked({"kind": kind, **values}, f"a row of {where}")


def _rows(run: Any, name: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a run's history, page by page."""
    import wandb

    try:
        yield from run.scan_history()
    except (wandb.errors.Error, OSError, ValueError) as error:
        raise _unreachable(name, error) from error


def _source(
    name: str, where: str, config: dict[str, Any], rows: Iterable[dict[str, Any]]
) -> Source:
    tables = {name: table for name, table in config.items() if isinstance(table, dict)}
    facts = checked_state(tables.pop(FACTS, {}), where)
    return Source(name, where, tables or None, facts, entries(rows, where))


def _unreachable(name: str, error: Exception) -> Failure:
    return Failure(
        f"cannot read {name} from Weights & Biases: {' '.join(str(error).split())} "
        "Where it cannot be reached, give the run's folder, or its name in ARTIFACTS/runs."
    )
