"""Which manifest says what is known of cached codes."""

from pathlib import Path

from snac_cache.manifests.shards import is_manifest
from snac_cache.work.plan_file import FOLDER
from snac_common.console import note
from snac_common.errors import BadInput


def manifest_of_codes(codes: Path, given: str | None, default: Path) -> Path:
    """Return the manifest to read beside cached codes: the one that is given, else the default.

    Where neither is there it is the manifest as it was when the codes were made, which is said.

    Args:
        codes: holds ``train/``, ``val/`` and what they were made from.
        given: the command's ``--manifest``: a folder or a file.
        default: folder of the manifests, such as ``artifacts/manifests``.

    Raises:
        BadInput: if it is to come through a pipe, which can be read only once.
    """
    if given == "-":
        raise BadInput("--manifest -: cached codes need a manifest that stays; give its folder")
    if given is not None:
        return Path(given)
    if is_manifest(default):
        return default
    planned = codes / FOLDER
    if planned.is_dir():
        note(f"no manifest in {default}: taking what it said when {codes} was made ({planned})")
    return planned
