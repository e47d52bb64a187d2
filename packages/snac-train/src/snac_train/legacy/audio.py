"""Proof that what is trained on comes from the folders that an earlier configuration names."""

import os
from collections.abc import Mapping
from pathlib import Path

from snac_cache.manifests.read import read_manifest
from snac_cache.store.code_store import CodeStore
from snac_common.errors import Failure
from snac_train.legacy.config import AUDIO
from snac_train.recipe.tables import Recipe


def check_audio(audio: Mapping[str, Path], recipe: Recipe, codes: Path, manifest: str) -> None:
    """Compare each folder with where the first utterance of its split lies.

    Args:
        audio: a configuration's key, and the folder that it names.
        recipe: says whether the codes or the manifest are trained from.
        codes: folder of the cached codes.
        manifest: where the manifest is, by which the codes are split.

    Raises:
        Failure: if the audio is another folder's.
    """
    if not audio:
        return
    cached = recipe.data.codes == "cached"
    first = _first_cached(codes, Path(manifest)) if cached else _first_listed(manifest)
    for key, folder in audio.items():
        path = first.get(AUDIO[key])
        if path is not None and not _lies_in(Path(path), folder):
            raise Failure(
                f"{key} is {folder}, but {codes if cached else manifest} holds other audio, such "
                f"as {path}. Run snac-manifest on the folder above train/ and val/ of that audio"
                f"{', then snac-cache' if cached else ''}; or take {key} out of the configuration."
            )


def _lies_in(path: Path, folder: Path) -> bool:
    """Say whether a file lies in a folder, by its name or by where links of either lead."""
    names = {Path(os.path.abspath(folder)), folder.resolve()}
    places = (Path(os.path.abspath(path)), path.parent.resolve() / path.name, path.resolve())
    return any(not names.isdisjoint(place.parents) for place in places)


def _first_cached(codes: Path, manifest: Path) -> dict[str, str]:
    stores = {split: CodeStore(codes, split, manifest) for split in AUDIO.values()}
    return {split: store[0].audio_path for split, store in stores.items() if len(store)}


def _first_listed(manifest: str) -> dict[str, str]:
    tables = read_manifest(manifest)
    return {
        split: table.column("audio_path")[0].as_py()
        for split, table in tables.items()
        if table.num_rows
    }
