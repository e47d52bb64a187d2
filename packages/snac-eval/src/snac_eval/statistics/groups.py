"""Which utterances are drawn together when intervals are computed: those of one speaker."""

import re
from collections.abc import Callable

import pyarrow as pa

from snac_cache.manifests.splits import Grouping
from snac_common.console import note
from snac_common.errors import BadInput

GroupOf = Callable[[str], str]


def each_alone(utterance_id: str) -> str:
    """Return the group of an utterance that is a group of its own."""
    return utterance_id


def groups_of(said: pa.Table, by: str | None) -> GroupOf:
    """Return what gives an utterance's group by its id.

    Args:
        said: rows of the manifest, with the user's own columns.
        by: a column of it, such as ``speaker``; or a regular expression that finds the group in an
            id, as in ``snac-manifest``. None makes every utterance a group of its own.

    Raises:
        BadInput: if it is neither, or finds nothing in any id.
    """
    if by is None:
        return each_alone
    found = _of_column(said, by) if by in said.column_names else _found_in_ids(said, by)
    alone = said.num_rows - len(found)
    if not found:
        columns = ", ".join(said.column_names)
        raise BadInput(
            f"--group-by {by}: no column of the manifest with values ({columns}), and nothing in "
            "any id that this regular expression finds"
        )
    if alone:
        note(f"--group-by {by}: {alone} utterances have no group; each is one of its own")
    return lambda utterance_id: found.get(utterance_id, utterance_id)


def _of_column(said: pa.Table, name: str) -> dict[str, str]:
    ids, values = (said.column(column).to_pylist() for column in ("utterance_id", name))
    return {
        utterance_id: f"{name} {value}"
        for utterance_id, value in zip(ids, values, strict=True)
        if value not in (None, "")
    }


def _found_in_ids(said: pa.Table, pattern: str) -> dict[str, str]:
    try:
        grouping = Grouping(re.compile(pattern))
    except re.error as error:
        raise BadInput(
            f"--group-by {pattern}: no column of the manifest ({', '.join(said.column_names)}), "
            f"and no regular expression: {error}"
        ) from error
    found = {}
    for utterance_id in said.column("utterance_id").to_pylist():
        before = grouping.unmatched
        key = grouping.key(utterance_id)
        if grouping.unmatched == before:
            found[utterance_id] = key
    return found
