"""Uploading a folder to the Hub."""

from pathlib import Path
from typing import Literal

from snac_common.errors import BadInput, Failure


def check_repository(name: str) -> None:
    """Raise BadInput unless the Hub would take a repository's name."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise BadInput(f"--push {name}: {error}") from error
    if name.count("/") != 1:
        raise BadInput(f"--push {name}: write it as USER/NAME")


def files_of(folder: Path) -> dict[str, int]:
    """Return what would be uploaded: each file's size in bytes by its path in the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def push(
    folder: Path,
    repository: str,
    *,
    private: bool,
    kind: Literal["model", "dataset"] = "model",
    message: str = "Export of a run",
    without: tuple[str, ...] = (),
) -> str:
    """Upload a folder, creating the repository if it is not there; return its address.

    Args:
        message: of the commit.
        without: files that are not uploaded.

    Raises:
        Failure: if the Hub cannot be reached or refuses.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError  # of the client that the Hub's package uses

    hub = HfApi()
    try:
        url = hub.create_repo(repository, repo_type=kind, private=private, exist_ok=True)
        hub.upload_folder(
            repo_id=repository,
            repo_type=kind,
            folder_path=folder,
            commit_message=message,
            ignore_patterns=list(without),
        )
    except (HTTPError, OSError, ValueError) as error:
        options = "" if kind == "model" else f" --repo-type {kind}"
        options += "".join(f" --exclude {name}" for name in without)
        raise Failure(
            f"cannot upload to {repository}: {' '.join(str(error).split())}. All of it is in "
            f"{folder}: log in with 'hf auth login' if need be, then upload it with "
            f"'hf upload {repository} {folder}{options}'."
        ) from error
    return str(url)
