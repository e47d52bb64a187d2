"""The manifests anew, with the targets in them."""

from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from snac_cache.manifests.json_lines import write_json_lines
from snac_cache.manifests.write import write_manifest
from snac_cache.schema import REJECTS
from snac_cache.targets.build import TargetReport
from snac_cache.targets.rows import STAGE
from snac_model.errors import BadInput


def output_folder(manifest: str, output: str | None, default: Path) -> Path:
    """Return where manifests and rejects go: by default the folder that the manifests came from.

    Raises:
        BadInput: if the manifest is one file or a pipe, and nothing says where the new one goes:
            half a manifest must not take the place of a whole one.
    """
    if output == "-":
        return default
    if output is not None:
        return Path(output)
    if manifest == "-" or Path(manifest).is_file():
        raise BadInput(f"--manifest {manifest} is no folder: say with -o where the new one goes")
    return Path(manifest)


def write_targets(report: TargetReport, folder: Path, pipe: IO[str] | None) -> None:
    """Write the rejects and the manifests, these to the pipe if there is one.

    Rejects of other stages that the folder holds stay.
    """
    rejects = pa.concat_tables([_earlier_rejects(folder / "rejects.parquet"), report.rejects])
    write_manifest({} if pipe else report.rows, rejects, folder)
    if pipe:
        write_json_lines(report.rows.values(), pipe)


def _earlier_rejects(path: Path) -> pa.Table:
    if not path.is_file():
        return REJECTS.empty_table()
    table = pq.read_table(path).cast(REJECTS)
    return table.filter(pc.not_equal(table.column("stage"), STAGE))
