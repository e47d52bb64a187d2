"""Finding the utterances of all sources, whatever form each of them has."""

from collections.abc import Iterator
from pathlib import Path

from snac_cache.manifests.find import Found, find_audio
from snac_cache.manifests.sources import Source
from snac_cache.manifests.splits import Grouping, SplitRule
from snac_cache.sources.columns import Columns
from snac_cache.sources.forms import FOLDER, READERS, form_of
from snac_cache.sources.listed import is_listed
from snac_common.addresses import said
from snac_common.console import note
from snac_common.errors import BadInput

IN_STORES = (FOLDER, "webdataset", "parquet")


def find_all(
    sources: list[Source],
    form: str | None,
    columns: Columns,
    val_ratio: float,
    grouping: Grouping | None,
    *,
    with_targets: bool,
) -> Iterator[Found]:
    """Find the utterances of sources, in order; folders of files first.

    Args:
        form: of all of them; None tells by what each of them is.
        columns: which column says what, in forms that have columns.
        with_targets: see ``find_audio``.

    Raises:
        BadInput: if a source is not of the form.
        Failure: if a folder cannot be listed.
    """
    forms = [form or form_of(source.path) for source in sources]
    for source, its in zip(sources, forms, strict=True):
        _refuse_if_distant(source.path, its)
    folders = [source for source, its in zip(sources, forms, strict=True) if its == FOLDER]
    for source in folders:
        _say_if_told_of(source.path)
    yield from find_audio(folders, val_ratio, grouping, with_targets=with_targets)
    for source, its in zip(sources, forms, strict=True):
        if its != FOLDER:
            if not form:
                note(f"{source.path} is read as {its}; --format says otherwise")
            rule = SplitRule.of(source, val_ratio, grouping)
            yield from (entry.found(source, rule) for entry in READERS[its](source, columns))


def _refuse_if_distant(source: Path, form: str) -> None:
    """Raise BadInput for a corpus in an object store that is told of by texts."""
    if is_listed(source) and form not in IN_STORES:
        raise BadInput(
            f"{said(source)} is read as {form}, whose tables are not read out of an object store. "
            "Copy them to this machine, and give them here: they may name audio by its address."
        )


def _say_if_told_of(folder: Path) -> None:
    """Say so where a table beside audio files is not read."""
    for name in ("metadata.csv", "metadata.tsv", "metadata.jsonl"):
        if (folder / name).is_file():
            note(f"{folder / name} is not read; to have what it says, give it as the source")
