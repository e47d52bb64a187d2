"""Measuring what is missing of an evaluation, in this process or in several."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from snac_cache.work.engine import Engine, LocalEngine
from snac_cache.work.workers import prepare_workers
from snac_common.console import note
from snac_common.progress import progress
from snac_eval.measuring.measure import Measured
from snac_eval.measuring.measure_utterance import Job, UtteranceMeasurer
from snac_eval.measuring.parts import Parts


@dataclass(frozen=True)
class Measuring:
    """What a worker does: measure one part after the other.

    Attributes:
        devices: of the workers, one each.
    """

    job: Job
    parts: Parts
    devices: list[str]

    def __call__(self, number: int, parts: Iterator[int], send: Callable[[Any], object]) -> None:
        """Load the models, measure parts, and send 1 for each utterance."""
        self.work(UtteranceMeasurer(self.job, self.devices[number]), parts, send)

    def work(
        self, measurer: UtteranceMeasurer, parts: Iterator[int], send: Callable[[Any], object]
    ) -> None:
        """Measure parts with models that are loaded."""
        for part in parts:
            key = self.parts.key(part, measurer.store)
            measured = Measured()
            for index in self.parts.utterances(part):
                measured.add(measurer.measure(index))
                send(1)
            self.parts.write(part, key, measured)


def measure_missing(measuring: Measuring, measurer: UtteranceMeasurer, engine: Engine) -> None:
    """Measure every part that is not there already.

    Args:
        measurer: of this process, for one device.
        engine: runs the workers.

    Raises:
        Failure: if a worker fails or dies. Finished parts stay, and the next call goes on.
    """
    parts, store = measuring.parts, measurer.store

    def unfinished(among: Iterable[int]) -> list[int]:
        return [part for part in among if not parts.is_finished(part, store)]

    missing = unfinished(range(parts.count))
    left = sum(len(parts.utterances(part)) for part in missing)
    if left < len(parts.indices):
        note(f"{len(parts.indices) - left} of {len(parts.indices)} utterances are measured already")
    if not missing:
        return
    with progress(left, "evaluate", "utterances") as advance:
        if isinstance(engine, LocalEngine) and min(len(engine.devices), len(missing)) == 1:
            measuring.work(measurer, iter(missing), advance)  # its models are loaded
            return
        if isinstance(engine, LocalEngine):
            prepare_workers(__name__)
        engine.run(measuring, missing, advance, unfinished)
