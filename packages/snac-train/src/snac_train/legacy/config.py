"""JSON configurations of earlier training scripts, read as settings of a phase's recipe.

What each key became is also a table for people, in ``docs/legacy.md``.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snac_common.errors import BadInput
from snac_train.legacy.curriculum import check_curriculum, read_entries, without_comments
from snac_train.recipe.files import Tables
from snac_train.recipe.settings import build, fields_of, parse_value, unknown
from snac_train.recipe.tables import Recipe

FIELDS: dict[str, tuple[str, ...]] = {  # key: what takes its value as it is
    "pretrained_model": ("model.base",),
    "freeze_encoder": ("model.freeze_encoder",),
    "freeze_vq": ("model.freeze_vq",),
    "seed": ("data.seed",),
    "random_seed": ("data.seed",),
    "limit": ("data.limit",),
    "val_limit": ("validation.limit",),
    "epochs": ("curriculum.epochs",),
    "num_epochs": ("curriculum.epochs",),
    "warmup_epochs": ("curriculum.warmup_epochs",),
    "batch_size": ("curriculum.batch_size",),
    "eval_batch_size": ("validation.batch_size",),
    "epoch_ranges": ("curriculum.epoch_ranges",),
    "segment_schedule": ("curriculum.segment_s",),
    "batch_multiplier": ("curriculum.batch_multiplier",),
    "learning_rate": ("optimizer.main_lr", "optimizer.tokenizer_lr"),  # one rate for all
    "main_lr": ("optimizer.main_lr",),
    "main_learning_rate": ("optimizer.main_lr",),
    "warmup_learning_rate": ("optimizer.warmup_lr",),
    "lr_24k_final_conv": ("optimizer.head_24k_lr",),
    "lr_min_ratio": ("schedule.floor",),
    "weight_decay": ("optimizer.weight_decay",),
    "grad_clip": ("optimizer.clip",),
    "gradient_clip": ("optimizer.clip",),
    "l1_weight": ("loss.l1_weight",),
    "stft_weight": ("loss.stft_weight",),
    "n_ffts": ("loss.fft_sizes_24k", "loss.fft_sizes_48k"),
    "loss_weight_24k": ("loss.weight_24k",),
    "loss_weight_48k": ("loss.weight_48k",),
    "save_every_batches": ("checkpoint.every_steps",),
    "save_every_minutes": ("checkpoint.every_minutes",),
}
IMPLIED = {  # what a key says besides: a cosine's end, and that codes change while training
    "lr_min_ratio": {"schedule.shape": "cosine"},
    "freeze_encoder": {"data.codes": "encoded"},
    "freeze_vq": {"data.codes": "encoded"},
}
CURRICULUM = ("curriculum", "segment_length")
AUDIO = {"train_data": "train", "val_data": "val"}  # key: split
COMMAND = ("output_dir", "experiment_name", "num_workers")
TARGETS = (
    "training takes the 48 kHz targets that the manifest names. To prove and name those of this "
    "folder: snac-upsample --engine files"
)
INSTEAD = {  # key: why it says nothing here
    "save_every": "there is a checkpoint after every epoch",
    "audio_48khz_train_dir": f"{TARGETS} --from train=DIR",
    "audio_48khz_val_dir": f"{TARGETS} --from val=DIR",
}
KEYS = (*FIELDS, *CURRICULUM, *AUDIO, *COMMAND, *INSTEAD)


@dataclass(frozen=True)
class LegacyConfig:
    """An earlier configuration; keys that were null are not in ``values``."""

    path: Path
    values: dict[str, Any]

    @property
    def run(self) -> str | None:
        """The name of the run: the last folder of ``output_dir``, else ``experiment_name``."""
        name = self.values.get("output_dir", self.values.get("experiment_name"))
        return None if name is None else Path(str(name)).name

    @property
    def workers(self) -> int | None:
        """Processes that read ahead."""
        workers = self.values.get("num_workers", 0)
        if type(workers) is not int or workers < 0:
            raise BadInput(f"{self.path}: num_workers cannot be {workers!r}: it must be a count")
        return self.values.get("num_workers")

    @property
    def audio(self) -> dict[str, Path]:
        """The folder of each split's audio, by the key that names it."""
        return {key: Path(str(self.values[key])) for key in AUDIO if key in self.values}

    @property
    def notes(self) -> list[str]:
        """What a person should know about keys that set nothing."""
        said = {key: INSTEAD[key] for key in INSTEAD if key in self.values}
        if set(CURRICULUM) <= set(self.values):
            said["segment_length"] = "the lengths are the curriculum's"
        return [f"{self.path}: {key}: {reason}" for key, reason in said.items()]

    def over(self, tables: Tables) -> Tables:
        """Return a recipe's tables with the configuration's settings in place of theirs.

        Raises:
            BadInput: if a setting does not fit, or two keys set the same.
        """
        merged = {name: dict(table) for name, table in tables.items()}
        try:
            epochs = self._epochs(tables["curriculum"]["epochs"])
            for name, value in _united([*self._plain(), *self._curriculum(epochs)]).items():
                table, field = name.split(".")
                merged[table][field] = value
            check_curriculum(build(Recipe, merged).curriculum)
        except BadInput as error:
            raise BadInput(f"{self.path}: {error}") from error
        return merged

    def _epochs(self, otherwise: int) -> int:
        return self.values.get("num_epochs", self.values.get("epochs", otherwise))

    def _plain(self) -> Iterator[tuple[str, str, Any]]:
        """Yield ``(key, table.field, value)`` for keys whose value is the field's."""
        kinds = fields_of(Recipe)
        for key, value in self.values.items():
            for name in FIELDS.get(key, ()):
                text = isinstance(value, str)
                yield key, name, parse_value(value, kinds[name]) if text else value
            if value is not True:  # what stays frozen implies nothing
                for name, implied in IMPLIED.get(key, {}).items():
                    yield key, name, implied

    def _curriculum(self, epochs: int) -> Iterator[tuple[str, str, Any]]:
        """Yield the same for the curriculum, or for the one length of all epochs."""
        if "curriculum" in self.values:
            key, entries = "curriculum", self.values["curriculum"]
        elif "segment_length" in self.values:
            length = self.values["segment_length"]
            key, entries = "segment_length", [{"epochs": [1, epochs], "length": length}]
        else:
            return
        for field, values in read_entries(entries, epochs).items():
            yield key, f"curriculum.{field}", values


NO_CONFIG = LegacyConfig(Path(), {})


def read_config(path: Path) -> LegacyConfig:
    """Read a configuration; raises BadInput if it is none, or has a key that is not known."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read the configuration {path}: {error}") from error
    if not isinstance(values, dict):
        raise BadInput(f"{path} holds no configuration: a JSON object of settings")
    values = without_comments(values)
    for key in values:
        if key not in KEYS:
            raise BadInput(f"{path}: {unknown('an earlier configuration', 'key', key, KEYS)}")
    return LegacyConfig(path, {key: value for key, value in values.items() if value is not None})


def _united(settings: list[tuple[str, str, Any]]) -> dict[str, Any]:
    """Return each field's value; raises BadInput if two keys disagree on it."""
    said: dict[str, tuple[str, Any]] = {}
    for key, name, value in settings:
        other, present = said.setdefault(name, (key, value))
        if present != value:
            raise BadInput(f"{other} and {key} both set {name}; leave one out")
    return {name: value for name, (_, value) in said.items()}
