"""Which manifest row each cached utterance has: what is fact, and what is said of it, by id."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from snac_cache.manifests.read import manifest_files, read_manifest
from snac_cache.parquet import read_table
from snac_cache.store.mapped import map_table
from snac_common.artifacts import SPLITS
from snac_common.errors import Failure

FACTS = ["utterance_id", "source_sample_rate", "num_frames", "audio_fingerprint"]


def open_manifest(where: Path) -> pa.Table:
    """Map the rows of both splits of a manifest into memory.

    Raises:
        Failure: if there is no manifest, or it is not sound.
    """
    folder = where if where.is_dir() else where.parent
    name = "manifest" if where.is_dir() else where.name
    return map_table(folder, name, manifest_sources(where), lambda: _read(where))


def manifest_sources(where: Path) -> list[Path]:
    """Return the files of a manifest; raises Failure if there are none."""
    if where.is_dir():
        return manifest_files(where)
    if not where.is_file():
        raise Failure(f"there is no manifest {where}. Run snac-manifest, or give --manifest.")
    return [where]


def open_matches(codes: Path, parts: list[Path], manifest: Path) -> pa.Table:
    """Map into memory which row of the parts is which row of the manifest.

    Returns:
        In the order of the parts: ``position`` in all their rows, ``manifest_row``, whether it is
        ``val``, and whether the manifest tells of other audio than was encoded (``changed``).
    """
    sources = [*parts, *manifest_sources(manifest)]
    return map_table(codes, "matches", sources, lambda: _match(parts, manifest))


def _read(where: Path) -> pa.Table:
    joined = pa.concat_tables(read_manifest(where).values(), promote_options="permissive")
    columns = dict(zip(joined.column_names, joined.columns, strict=True))
    del joined
    for name in list(columns):  # one by one, so that no more than one is in memory twice
        columns[name] = columns[name].combine_chunks()
    return pa.table(columns)


def _match(parts: list[Path], manifest: Path) -> pa.Table:
    said = open_manifest(manifest)
    facts = pa.concat_tables([_facts(part) for part in parts])
    rows = pc.index_in(facts["utterance_id"], value_set=said["utterance_id"])
    known = rows.is_valid().to_numpy()
    rows = rows.drop_null().to_numpy().astype(np.int64)
    cached, stated = facts.filter(pa.array(known)), said.select([*FACTS, "split"]).take(rows)
    changed = np.zeros(len(rows), bool)
    for name in FACTS[1:]:  # a manifest without fingerprints tells nothing about them
        differs = pc.not_equal(cached[name], stated[name])
        changed |= differs.fill_null(False).to_numpy(zero_copy_only=False)
    return pa.table(
        {
            "position": np.flatnonzero(known),
            "manifest_row": rows,
            "val": pc.equal(stated["split"], SPLITS[1]),
            "changed": changed,
        }
    ).combine_chunks()


def _facts(part: Path) -> pa.Table:
    try:
        return read_table(part, FACTS)
    except (OSError, pa.ArrowException) as error:
        raise Failure(
            f"{part} is damaged: {error}. Run snac-cache --verify, which makes it anew."
        ) from error
