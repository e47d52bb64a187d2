"""An export that is there already, to be uploaded as it is."""

import re
from pathlib import Path

from snac_common.console import note
from snac_common.errors import BadInput, Failure
from snac_common.files import write_text
from snac_model.codec.loading import load
from snac_model.codec.snac import SNAC
from snac_model.codec.weights import weights_sha256
from snac_model.export.card import PLACEHOLDER, README
from snac_model.export.half import half_decoder
from snac_model.export.run import Run
from snac_model.export.snippets import NOT_OFFICIAL
from snac_model.files.places import OFFICIAL_WEIGHTS, WEIGHTS

NAMED = re.compile(r"""(?:from_pretrained|snac_model\.load)\("([^"/]+/[^"/]+)""")


def is_export(folder: Path) -> bool:
    """Say whether a folder is one that snac-export wrote."""
    card = folder / README
    if (folder / OFFICIAL_WEIGHTS).is_file():
        return card.is_file()
    ours = (folder / WEIGHTS).is_file() and card.is_file()
    return ours and NOT_OFFICIAL in card.read_text(encoding="utf-8")


def check_existing(run: Run, folder: Path, given: list[str]) -> None:
    """See that an export may be uploaded as it is: that it is the run's best model now.

    Args:
        run: whose export it must be.
        folder: of the export.
        given: options that say how to export, and were given.

    Raises:
        BadInput: if there are such options, since they would change nothing.
        Failure: if it holds another model than the run's.
    """
    if given:
        raise BadInput(
            f"{folder} holds an export, which --push uploads as it is. Leave out "
            f"{', '.join(given)}, or give --overwrite to export anew."
        )
    model, both = load(run.model), folder / "dual_head"
    written = load(both if both.is_dir() else folder)
    if _hash(written) not in (_hash(model), _hash(half_decoder(model).float())):
        raise Failure(
            f"{folder} holds another model than {run.model} is now. Give --overwrite to export "
            "that one, or another -o."
        )
    note(f"uploading the export that is in {folder}; --overwrite makes it anew")


def name_repository(folder: Path, repository: str) -> None:
    """Have an export's card name where it goes, in place of what it named until now."""
    card = (folder / README).read_text(encoding="utf-8")
    # our own example is the first; what the user wrote below may name other models
    named = NAMED.search(card)
    earlier = named[1] if named else PLACEHOLDER
    write_text(folder / README, card.replace(earlier, repository))


def _hash(model: SNAC) -> str:
    return weights_sha256([model])
