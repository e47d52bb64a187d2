"""Whether a run may go on from a checkpoint: what has changed, and what was allowed to."""

from collections.abc import Iterable
from typing import Any

from snac_common.errors import Failure

Tables = dict[str, dict[str, Any]]


def check_unchanged(then: Tables, now: Tables, allowed: Iterable[str]) -> None:
    """Compare what a checkpoint was written with to what it is resumed with.

    Args:
        then: ``{table: {field: value}}``, as ``now``.
        allowed: names, ``table.field`` or ``table``, that may differ.

    Raises:
        Failure: showing every other difference.
    """
    permitted = set(allowed)
    differences = [
        f"  {name}: {before!r} -> {after!r}"
        for name, (before, after) in changed_fields(then, now).items()
        if not {name, name.partition(".")[0]} & permitted
    ]
    if differences:
        raise Failure(
            "the run differs from its checkpoint:\n" + "\n".join(differences) + "\n"
            "Go on with what it was, or name what may change: --allow-changed "
            + differences[0].partition(":")[0].strip()
        )


def changed_fields(then: Tables, now: Tables) -> dict[str, tuple[Any, Any]]:
    """Return what a field was and is, by ``table.field``, for each that has changed."""
    before, after = _flat(then), _flat(now)
    return {
        name: (before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    }


def _flat(tables: Tables) -> dict[str, Any]:
    """Return ``{table.field: value}``; tuples as the lists that JSON makes of them."""
    return {
        f"{table}.{field}": list(value) if isinstance(value, tuple) else value
        for table, fields in tables.items()
        for field, value in fields.items()
    }
