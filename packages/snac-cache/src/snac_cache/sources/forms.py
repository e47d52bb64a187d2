"""The forms of corpora that can be read, and which of them a source is."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from snac_cache.manifests.formats import is_readable
from snac_cache.manifests.sources import Source
from snac_cache.manifests.walk import walk
from snac_cache.sources.columns import Columns
from snac_cache.sources.entry import Entry
from snac_cache.sources.kaldi import RECORDINGS, read_kaldi
from snac_cache.sources.lhotse import SHAR_CUTS, read_lhotse
from snac_cache.sources.lines import JSON_LINES, read_json_objects
from snac_cache.sources.nemo import read_nemo
from snac_cache.sources.parquet import read_parquet_audio
from snac_cache.sources.table import TABLES, read_tables
from snac_cache.sources.webdataset import COMPRESSED, TARS, read_webdataset

FOLDER = "folder"
READERS: Mapping[str, Callable[[Source, Columns], Iterator[Entry]]] = {
    "webdataset": read_webdataset,
    "parquet": read_parquet_audio,
    "kaldi": read_kaldi,
    "nemo": read_nemo,
    "lhotse": read_lhotse,
    "table": read_tables,
}
CONTAINERS = (*TARS, *COMPRESSED, ".parquet")


def form_of(source: Path) -> str:
    """Return the form that a source has by what it is named, or by the first of what is in it."""
    found = _form_of_folder(source) if source.is_dir() else _form_of_file(str(source))
    return found or FOLDER


def _form_of_folder(folder: Path) -> str | None:
    if (folder / RECORDINGS).is_file():
        return "kaldi"
    for where, _, names, _ in walk(folder):
        if where == str(folder) and any(map(SHAR_CUTS.fullmatch, names)):
            return "lhotse"
        if any(map(is_readable, names)):
            return FOLDER
        if found := [name for name in sorted(names) if name.lower().endswith(CONTAINERS)]:
            return _form_of_file(found[0])
    return None


def _form_of_file(path: str) -> str | None:
    name = path.lower()
    if name.endswith((*TARS, *COMPRESSED)):
        return "webdataset"
    if name.endswith(".parquet"):
        return "parquet"
    if name.endswith(JSON_LINES):
        return _form_of_lines(path)
    return "table" if name.endswith(TABLES) else None


def _form_of_lines(path: str) -> str:
    """Tell by the names in the first object whose manifest JSON lines are."""
    first = next((row for _, row in read_json_objects(path) if isinstance(row, dict)), {})
    if "recording" in first and "supervisions" in first:
        return "lhotse"
    return "nemo" if "audio_filepath" in first else "table"
