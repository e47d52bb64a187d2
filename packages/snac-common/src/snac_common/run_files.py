"""The small files of a training run, which one package writes and others read."""

import json
from dataclasses import asdict, dataclass, field
from functools import reduce
from operator import or_
from pathlib import Path
from types import UnionType
from typing import Any, Self, get_args, get_origin, get_type_hints

from snac_common.addresses import with_addresses
from snac_common.errors import Failure
from snac_common.files import write_text
from snac_common.json_files import read_json_object

Table = dict[str, Any]

IDENTIFIES_PROCESS = ("pid", "process_started", "host")


@dataclass(frozen=True)
class RunState:
    """What ``run.json`` says of a run; None for what it does not say.

    Attributes:
        state: ``running``, ``finished``, ``stopped`` or ``failed``.
        pid: of the main process; ``process_started`` tells it from a later one of that number.
        command: what the run was started with.
        processes: how many train together.
        hardware: what they train on, in words.
        plan: ``epochs``, ``steps`` and ``samples`` of the whole run.
        val: losses of the last validation, after ``epoch``, at ``step``.
        best: by the score's name, its ``score``, ``epoch`` and ``step``.
        baseline: losses of the starting model, and as ``resampled/...`` those of its 24 kHz output
            resampled, where it has no 48 kHz head.
        before: the loss to beat with segments of each length, and ``after`` the best model's.
        warnings: in what the best model is worse than no training.
        message: why the run failed.
    """

    state: str
    pid: int | None = None
    process_started: int | None = None
    host: str | None = None
    started: str | None = None
    updated: str | None = None
    ended: str | None = None
    command: str | None = None
    processes: int | None = None
    hardware: str | None = None
    device: str | None = None
    base: str | None = None
    base_sha256: str | None = None
    cache: Table | None = None
    manifest: str | None = None
    counts: Table | None = None
    hours: Table | None = None
    data: Table | None = None
    plan: Table | None = None
    versions: Table | None = None
    wandb_id: str | None = None
    epoch: int | None = None
    step: int | None = None
    val: Table | None = None
    best: Table | None = None
    baseline: Table | None = None
    before: Table | None = None
    after: Table | None = None
    improvement_percent_at: Table | None = None
    warnings: list[str] | None = None
    message: str | None = None
    summary: Table | None = None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read ``run.json``; fields that are not known are left out.

        Raises:
            Failure: naming the file and what to do, if it is absent or damaged.
        """
        try:
            state = cls(**_read_known(path, cls, ("state",)))
            if state.state == "running":
                read_json_object(path, dict.fromkeys(IDENTIFIES_PROCESS, int | str))
        except Failure as failure:
            raise Failure(
                f"{failure}. If no process trains this run, remove the file: --resume goes on "
                "without it, and writes it anew"
            ) from failure
        return state

    def fields(self) -> Table:
        """Return what it says, by name."""
        return _without_none(self)

    def write(self, path: Path) -> None:
        """Write ``run.json``, atomically."""
        text = json.dumps(self.fields(), indent=2, ensure_ascii=False)
        write_text(path, with_addresses(text) + "\n")


@dataclass(frozen=True)
class Score:
    """What ``score.json`` says of the model beside it.

    Attributes:
        score: the validation loss that no other model of the run was below.
        epoch: after which it was measured, at ``step``.
        metrics: all losses of that validation.
    """

    score: float
    epoch: int
    step: int
    metrics: Table = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read ``score.json``; fields that are not known are left out.

        Raises:
            Failure: naming the file and what to do, if it is absent or damaged.
        """
        try:
            return cls(**_read_known(path, cls, ("score", "epoch", "step")))
        except Failure as failure:
            raise Failure(
                f"{failure}. Remove the folder {path.parent}, whose model it would vouch for; the "
                "next best one is kept there again"
            ) from failure

    def write(self, path: Path) -> None:
        """Write ``score.json``, atomically."""
        write_text(path, json.dumps(_without_none(self), indent=2) + "\n")


def _read_known(path: Path, kind: Any, required: tuple[str, ...]) -> Table:
    """Read the fields of a dataclass that a file has, each of its type."""
    hints = get_type_hints(kind)
    present = read_json_object(path)
    wanted = {name: _plain(hints[name]) for name in hints if name in present or name in required}
    content = read_json_object(path, wanted)
    return {name: content[name] for name in wanted}


def _plain(hint: Any) -> type | UnionType:
    """Return a type, or a union of types, without what their items are."""
    if isinstance(hint, UnionType):
        return reduce(or_, map(_plain, get_args(hint)))
    return get_origin(hint) or hint


def _without_none(content: Any) -> Table:
    return {name: value for name, value in asdict(content).items() if value is not None}
