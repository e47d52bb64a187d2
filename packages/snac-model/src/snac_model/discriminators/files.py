"""Discriminators in files: ``discriminators.json`` and ``discriminators.safetensors``."""

import json
from pathlib import Path

from snac_common.errors import Failure
from snac_common.files import atomic_path, write_text
from snac_model.discriminators.config import DiscriminatorConfig
from snac_model.discriminators.sets import Discriminators
from snac_model.files.safetensors_files import read_safetensors, stored_state, write_safetensors

CONFIG = "discriminators.json"
WEIGHTS = "discriminators.safetensors"


def save_discriminators(discriminators: Discriminators, folder: str | Path) -> None:
    """Write the weights and then what they are of into ``folder``, each atomically."""
    folder = Path(folder)
    with atomic_path(folder / WEIGHTS) as temporary:
        write_safetensors(stored_state(discriminators), temporary)
    write_text(folder / CONFIG, json.dumps(discriminators.config.to_dict(), indent=2) + "\n")


def remove_discriminators(folder: str | Path) -> None:
    """Remove what ``save_discriminators`` wrote, if it is there."""
    for name in (CONFIG, WEIGHTS):
        (Path(folder) / name).unlink(missing_ok=True)


def load_discriminators(folder: str | Path) -> Discriminators:
    """Load what ``save_discriminators`` wrote.

    Raises:
        Failure: if there are none, or they cannot be read.
    """
    folder = Path(folder)
    if not (folder / CONFIG).is_file():
        raise Failure(
            f"{folder} holds no discriminators: there is no {CONFIG}. Give a run of --phase refine "
            "or fast, or an export that was made with --discriminators."
        )
    try:
        config = DiscriminatorConfig.from_dict(json.loads((folder / CONFIG).read_text()))
    except (OSError, ValueError) as error:
        raise Failure(f"{folder / CONFIG} cannot be read: {error}") from error
    discriminators = Discriminators(config)
    try:
        discriminators.load_state_dict(read_safetensors(folder / WEIGHTS))
    except RuntimeError as error:
        raise Failure(
            f"{folder / WEIGHTS} does not hold the weights that {CONFIG} speaks of"
        ) from error
    return discriminators
