"""Uploading an export to the Hub."""

from pathlib import Path

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


def push(folder: Path, repository: str, *, private: bool) -> str:
    """Upload a folder, creating the repository if it is not there; return its address.

    Raises:
        Failure: if the Hub cannot be reached or refuses.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError  # of the client that the Hub's package uses

    hub = HfApi()
    try:
        url = hub.create_repo(repository, private=private, exist_ok=True)
        hub.upload_folder(repo_id=repository, folder_path=folder, commit_message="Export of a run")
    except (HTTPError, OSError, ValueError) as error:
        raise Failure(
            f"cannot upload to {repository}: {' '.join(str(error).split())}. The export is whole "
            f"in {folder}: log in with 'hf auth login' if need be, then upload it with "
            f"'hf upload {repository} {folder}'."
        ) from error
    return str(url)
