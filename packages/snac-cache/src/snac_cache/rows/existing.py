"""What may lie where rows are to be written."""

from pathlib import Path

from snac_cache.rows.card import FACTS, README
from snac_cache.rows.write import REJECTS_FILE
from snac_common.errors import Failure

OWN = {"train", "validation", README, FACTS, REJECTS_FILE}


def check_replaceable(folder: Path, *, overwrite: bool) -> None:
    """Raise Failure unless a folder is empty, or holds rows alone that are to be replaced."""
    if not folder.exists() or not any(folder.iterdir()):
        return
    others = sorted(path.name for path in folder.iterdir() if path.name not in OWN)
    if others or not (folder / FACTS).is_file():
        other = others[0] if others else next(folder.iterdir()).name
        raise Failure(
            f"{folder} holds other files than rows, such as {other}. Give -o a folder of its own."
        )
    if not overwrite:
        raise Failure(
            f"{folder} holds rows already. Give --overwrite to replace them, or another -o."
        )
