"""Finding a model's files, and saying what can be given when they are not found."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snac_common.artifacts import BEST_FOLDERS, RECIPE, Artifacts
from snac_common.errors import Failure
from snac_common.run_mirror import bring_model

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
OFFICIAL_WEIGHTS = "pytorch_model.bin"
OLD_CHECKPOINTS = (".pt", ".pth", ".ckpt")

_BUILTIN_FOLDER = Path(__file__).parent.parent / "builtin"
_CHOICES = (
    "Give a Hub id (owner/name, or owner/name/folder), a folder with config.json and "
    "model.safetensors or pytorch_model.bin, the name or folder of a run ({runs}), an older "
    "checkpoint (.pt), or builtin:NAME ({builtins})."
)
MOST_RUNS_NAMED = 5


@dataclass(frozen=True)
class ModelFiles:
    """The two files that make a model; an older checkpoint has no ``config``."""

    config: Path | None
    weights: Path


def builtin_names() -> list[str]:
    """Names of the models that ship with the project."""
    return sorted(path.parent.name for path in _BUILTIN_FOLDER.glob(f"*/{CONFIG}"))


def find_model(where: str | Path, **hub_options: Any) -> ModelFiles:
    """Find the files of a Hub id, a folder, a run, ``builtin:NAME`` or an older checkpoint.

    A folder that is there goes before a run of its name in the artifacts, and before the Hub;
    ``owner/name/folder`` is one in a Hub repository. Of a run it is the best model.

    Raises:
        Failure: naming what was looked for and what can be given instead.
    """
    name = bring_model(str(where), Artifacts.of_command())
    if name.startswith("builtin:"):
        return _find_builtin(name.removeprefix("builtin:"))
    if Path(name).is_dir():
        return _find_in_folder(Path(name))
    if name.endswith(OLD_CHECKPOINTS):
        return _find_old_checkpoint(Path(name))
    if Path(name).name == name and Artifacts.of_command().run(name).is_dir():
        return _find_in_folder(Artifacts.of_command().run(name))
    if name.count("/") in (1, 2) and not name.startswith((".", "/", "~")):
        return _find_on_hub(name, **hub_options)
    raise Failure(f"no model {name}: there is no such folder and no such run. {_choices()}")


def find_config(where: str | Path, **hub_options: Any) -> Path:
    """Find a model's ``config.json``; a folder or built-in model may have that alone.

    Raises:
        Failure: if there is none; as ``find_model`` does.
    """
    name = bring_model(str(where), Artifacts.of_command())
    shipped = name.startswith("builtin:")
    folder = _BUILTIN_FOLDER / name.removeprefix("builtin:") if shipped else Path(name)
    if (folder / CONFIG).is_file():
        return folder / CONFIG
    config = find_model(where, **hub_options).config
    if config is None:
        raise Failure(
            f"{where} is an older checkpoint: it has no config.json to build a model from"
        )
    return config


def _choices() -> str:
    return _CHOICES.format(builtins=", ".join(builtin_names()), runs=_runs())


def _runs() -> str:
    """Name the newest runs in the artifacts."""
    root = Artifacts.of_command().root / "runs"
    runs = [path.parent for path in root.glob(f"*/{RECIPE}")]
    newest = sorted(runs, key=lambda run: run.stat().st_mtime, reverse=True)[:MOST_RUNS_NAMED]
    return ", ".join(run.name for run in newest) or f"{root} has none"


def _find_builtin(name: str) -> ModelFiles:
    if name not in builtin_names():
        raise Failure(f"there is no builtin:{name}. {_choices()}")
    return _find_in_folder(_BUILTIN_FOLDER / name)


def _find_in_folder(folder: Path) -> ModelFiles:
    weights = next(
        (folder / name for name in (WEIGHTS, OFFICIAL_WEIGHTS) if (folder / name).is_file()), None
    )
    if weights is None or not (folder / CONFIG).is_file():
        best = folder / BEST_FOLDERS["combined"]
        if (best / CONFIG).is_file():
            return _find_in_folder(best)
        if (folder / RECIPE).is_file():
            raise Failure(
                f"the run {folder} has no best model yet. Train it to its first validation, or "
                "name another."
            )
        raise Failure(f"the folder {folder} holds no model. {_choices()}")
    return ModelFiles(folder / CONFIG, weights)


def _find_old_checkpoint(path: Path) -> ModelFiles:
    if not path.is_file():
        raise Failure(f"no model {path}: there is no such file. {_choices()}")
    return ModelFiles(None, path)


def _find_on_hub(name: str, **options: Any) -> ModelFiles:
    """Take what a repository has of a model's files; without a network, what the cache has."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    owner, repository, *folder = name.split("/")
    wanted = ["/".join((*folder, file)) for file in (CONFIG, WEIGHTS, OFFICIAL_WEIGHTS)]
    problem = f"there is no folder {name} here, and it cannot be downloaded from the Hub"
    try:
        snapshot = snapshot_download(f"{owner}/{repository}", allow_patterns=wanted, **options)
    except LocalEntryNotFoundError as error:
        raise Failure(
            f"{problem}: no network, and no copy in the Hub cache. {_choices()}"
        ) from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise Failure(f"{problem}: {error}. {_choices()}") from error
    return _find_in_folder(Path(snapshot, *folder))
