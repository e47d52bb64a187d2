"""Where the manifests with their targets go, and the rejects beside them."""

from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from snac_cache.manifests.json_lines import write_json_lines
from snac_cache.manifests.write import write_manifest
from snac_cache.parquet import read_table
from snac_cache.schema import REJECTS
from snac_cache.targets.fill_in import FilledIn
from snac_cache.targets.results import STAGE
from snac_common.errors import BadInput, Failure

REJECTS_NAME = "rejects.parquet"


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


def other_rejects(folder: Path) -> pa.Table:
    """Read the rejects of other stages that the folder holds, which stay there.

    Raises:
        Failure: if its ``rejects.parquet`` is damaged, or a file of another kind.
    """
    path = folder / REJECTS_NAME
    if not path.is_file():
        return REJECTS.empty_table()
    try:
        table = read_table(path).cast(REJECTS)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise Failure(
            f"{path} is not what snac-manifest writes there: {error}. Move it away, or give "
            "another folder with -o."
        ) from error
    return table.filter(pc.not_equal(table.column("stage"), STAGE))


def write_filled_in(filled: FilledIn, folder: Path, pipe: IO[str] | None) -> None:
    """Write the rejects and the manifests, these to the pipe if there is one."""
    rejects = pa.concat_tables([other_rejects(folder), filled.rejects])
    write_manifest({} if pipe else filled.manifest, rejects, folder)
    if pipe:
        write_json_lines(filled.manifest.values(), pipe)
