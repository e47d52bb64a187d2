"""One checkpoint: a folder that is whole or not there, and can prove that it is whole."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from snac_common.errors import Failure
from snac_common.files import TEMPORARY_SUFFIX, flush_to_disk
from snac_common.full_disk import told_when_full

MODEL, CONFIG = "model.safetensors", "config.json"
RANDOM, STATE = "random.pt", "state.json"
# the first two are a model folder, which every command takes that takes a model
FILES = (MODEL, CONFIG, RANDOM, STATE)
MODULES, PLAYERS = "modules", "players"
# what the state says at least
STATED = {"recipe", "facts", "tracker", "epoch", "rejects", "pieces", "metrics_bytes", "skipped"}
MANIFEST = "manifest.json"

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """All that a run goes on from.

    Attributes:
        model: the model's state dict.
        config: the model's ``config.json``.
        modules: weights of what is kept beside the model, by its name.
        players: what each module that is trained goes on from, by its name.
        random: states of the random generators, one entry a process.
        state: the rest, as JSON has it.
    """

    model: Tensors
    config: dict[str, Any]
    modules: dict[str, Tensors]
    players: dict[str, dict[str, Any]]
    random: list[dict[str, Any]]
    state: dict[str, Any]


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint under another name, flush it, and only then give it its own.

    Raises:
        Failure: if the disk does not take it; nothing is left then.
    """
    temporary = folder.with_name(folder.name + TEMPORARY_SUFFIX)
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with told_when_full(folder):
            for name in (MODULES, PLAYERS):
                (temporary / name).mkdir(parents=True)
            for name, write in _writers(checkpoint).items():
                write(temporary / name)
                flush_to_disk(temporary / name)
            _write_manifest(temporary)
            shutil.rmtree(folder, ignore_errors=True)  # a damaged one of the same step
            temporary.replace(folder)
            flush_to_disk(folder.parent)
    except (OSError, RuntimeError, Failure) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise Failure(
            f"the checkpoint {folder} could not be written: {error}. The one before it is whole; "
            "make room and resume from it with --resume."
        ) from error


def _writers(checkpoint: Checkpoint) -> dict[str, Callable[[Path], object]]:
    return {
        MODEL: partial(_save_weights, checkpoint.model),
        CONFIG: lambda path: path.write_text(json.dumps(checkpoint.config, indent=2) + "\n"),
        **{
            f"{MODULES}/{name}.safetensors": partial(_save_weights, weights)
            for name, weights in checkpoint.modules.items()
        },
        **{
            f"{PLAYERS}/{name}.pt": partial(torch.save, state)
            for name, state in checkpoint.players.items()
        },
        RANDOM: lambda path: torch.save(checkpoint.random, path),
        STATE: lambda path: path.write_text(json.dumps(checkpoint.state, indent=1) + "\n"),
    }


def _save_weights(weights: Tensors, path: Path) -> None:
    save_file({name: value.cpu().contiguous() for name, value in weights.items()}, path)


@dataclass(frozen=True)
class _File:
    size: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "_File":
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(path.stat().st_size, digest)


def _write_manifest(folder: Path) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {str(path.relative_to(folder)): asdict(_File.of(path)) for path in paths}
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps(files, indent=1) + "\n")
    flush_to_disk(manifest)
    flush_to_disk(folder)


def damage(folder: Path) -> str | None:
    """Say what is wrong with a checkpoint's files, by their sizes and hashes; None if nothing."""
    try:
        recorded = json.loads((folder / MANIFEST).read_text())
        for name in {**dict.fromkeys(FILES), **recorded}:
            expected = _File(**recorded[name])
            size = os.path.getsize(folder / name)
            if size != expected.size:
                return f"{name} has {size} bytes, not {expected.size}"
            if _File.of(folder / name) != expected:
                return f"the content of {name} has changed"
    except FileNotFoundError as error:
        return f"{Path(str(error.filename)).relative_to(folder)} is missing"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{MANIFEST} cannot be used: {error!r}"
    return None


def check_whole(folder: Path) -> Path:
    """Return the folder; raises Failure if it is no whole checkpoint."""
    if not folder.is_dir():
        raise Failure(f"there is no checkpoint {folder}")
    if problem := damage(folder):
        raise Failure(f"the checkpoint {folder} is damaged: {problem}. Give another one.")
    return folder


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint whose files were found whole; no pickle is ever executed.

    Raises:
        Failure: if it holds something else than was ever written.
    """
    try:
        read = Checkpoint(
            model=load_file(folder / MODEL),
            config=json.loads((folder / CONFIG).read_text()),
            modules={
                path.stem: load_file(path)
                for path in sorted((folder / MODULES).glob("*.safetensors"))
            },
            players={path.stem: _load(path) for path in sorted((folder / PLAYERS).glob("*.pt"))},
            random=_load(folder / RANDOM),
            state=json.loads((folder / STATE).read_text()),
        )
        missing = STATED - read.state.keys()
    except (
        OSError,
        ValueError,
        RuntimeError,
        AttributeError,
        SafetensorError,
        UnpicklingError,
    ) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise Failure(
            f"the checkpoint {folder} cannot be read ({reason}). Go on from an earlier one: "
            "--resume CHECKPOINT."
        ) from error
    if missing:
        raise Failure(
            f"the checkpoint {folder} cannot be read: {STATE} lacks {', '.join(sorted(missing))}"
        )
    return read


def _load(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)
