"""Utterances that could not be read in training: which, why, and how many are too many."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from snac_common.errors import Failure
from snac_train.data.segments import Reject
from snac_train.run.appended_lines import AppendedLines
from snac_train.run.run_folder import RunFolder

REJECTS = "rejects.jsonl"


class Rejects:
    """Writes down what was left out, and counts it.

    Args:
        utterances: how many each split has.
        largest_share: of a split's utterances that may be left out in an epoch, or in a validation.

    Attributes:
        totals: how many were left out of each split, in the whole run.
    """

    def __init__(
        self, folder: RunFolder, utterances: Mapping[str, int], largest_share: float
    ) -> None:
        self.folder = folder
        self.lines = AppendedLines(folder.path / REJECTS)
        self.utterances = utterances
        self.largest_share = largest_share
        self.totals = {"train": 0, "val": 0}
        self._in_epoch = 0
        self._last = "those"

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {
            "totals": self.totals,
            "in_epoch": self._in_epoch,
            "last": self._last,
            "bytes": self.lines.flushed(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state`` returned; the lines are cut when the run is rewound."""
        self.totals = dict(state["totals"])
        self._in_epoch, self._last = state["in_epoch"], state["last"]

    def begin_epoch(self) -> None:
        """Count anew."""
        self._in_epoch = 0

    def add_training(self, rejects: Sequence[Reject], **place: object) -> None:
        """Add what every process left out in a step; raises Failure if it is too much by now."""
        self._in_epoch += len(rejects)
        self._write("train", rejects, place)
        self.judge_epoch()

    def judge_epoch(self) -> None:
        """Raise Failure if too much was left out of the epoch, now or before the run went on."""
        self._judge("train", self._in_epoch)

    def add_validation(self, rejects: Sequence[Reject]) -> None:
        """Add what every process left out of a validation; raises Failure if it is too much."""
        self._write("val", rejects, {})
        self._judge("val", len(rejects))

    def _write(self, split: str, rejects: Sequence[Reject], place: Mapping[str, object]) -> None:
        self.totals[split] += len(rejects)
        for reject in rejects[-1:]:
            self._last = f"{reject.utterance_id!r} ({reject.audio_path}): {reject.detail}"
        if not (rejects and self.folder.writes):
            return
        for reject in rejects:
            self.lines.append({"split": split, "stage": "train", **asdict(reject), **place})
        self.folder.log(
            f"{len(rejects)} {split} utterances could not be read and were replaced, such as "
            f"{self._last}; see {self.lines.path}"
        )

    def _judge(self, split: str, count: int) -> None:
        if count > self.largest_share * self.utterances[split]:
            raise Failure(
                f"{count} of {self.utterances[split]} {split} utterances could not be read, more "
                f"than --max-reject-rate {self.largest_share:g} allows, such as {self._last}. All "
                f"are in {self.lines.path}. Mend the files, or raise the limit, and go on with "
                "--resume."
            )
