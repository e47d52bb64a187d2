"""Which models are measured: finding them, and seeing whose codes they decode."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from snac_cache.store.identity import CacheIdentity
from snac_common.artifacts import STATE, Artifacts
from snac_common.errors import Failure
from snac_common.run_files import RunState
from snac_common.run_mirror import bring_model
from snac_common.run_names import no_such_run, run_folders
from snac_eval.models.names import REFERENCE, resampled_name
from snac_eval.models.run_metrics import METRICS_FILE
from snac_model.codec.loading import load
from snac_model.codec.snac import SNAC
from snac_model.codec.weights import weights_sha256


@dataclass(frozen=True)
class ModelSource:
    """Where a model is, before it is loaded.

    Attributes:
        name: how tables and the report call it.
        where: anything that ``snac_model.load`` takes.
        run: the folder of the training run that it came from, if it came from one.
    """

    name: str
    where: str
    run: Path | None = None


@dataclass(frozen=True)
class LoadedModel:
    """A loaded model.

    Attributes:
        weights_sha256: says which weights these are.
        own_codes: whether its encoder or quantizer is another than that of the cached codes, so
            that it must encode the audio itself.
    """

    source: ModelSource
    model: SNAC
    weights_sha256: str
    own_codes: bool = False

    @property
    def name(self) -> str:
        """How tables and the report call it."""
        return self.source.name


def find_models(models: Sequence[str], base: str, artifacts: Artifacts) -> list[ModelSource]:
    """Find the base and the models, the newest run where none is named; the base comes first.

    Raises:
        Failure: if a run has no best model, or if there is no run at all.
    """
    return _with_distinct_names([find_model(base, artifacts), *_named_or_newest(models, artifacts)])


def default_base(models: Sequence[str], codes_model: str, artifacts: Artifacts) -> str:
    """Return what models are compared with: what made the codes.

    If that is the model of a run that is measured itself, it is what this run started from.
    """
    maker = find_model(codes_model, artifacts)
    runs = [found.run.resolve() for found in _named_or_newest(models, artifacts) if found.run]
    if maker.run is None or maker.run.resolve() not in runs:
        return codes_model
    return RunState.read(maker.run / STATE).base or codes_model


def _named_or_newest(models: Sequence[str], artifacts: Artifacts) -> list[ModelSource]:
    return [find_model(model, artifacts) for model in models] or [newest_run(artifacts)]


def find_model(model: str, artifacts: Artifacts) -> ModelSource:
    """Find a run by name, a run's folder, a model's folder in a run, or any other model."""
    model = bring_model(model, artifacts)
    folder = Path(model)
    if folder.name == model and artifacts.run(model).is_dir():
        return _best_of(artifacts.run(model))
    if (folder / METRICS_FILE).is_file():
        return _best_of(folder)
    if (folder.parent / METRICS_FILE).is_file():
        run = folder.resolve().parent
        return ModelSource(f"{run.name}/{folder.name}", model, run)
    if folder.name == model and not folder.exists() and not model.startswith("builtin:"):
        raise no_such_run(model, artifacts, "Or name a model: a Hub id, a folder, builtin:NAME.")
    return ModelSource(folder.resolve().name if folder.is_dir() else model, model)


def newest_run(artifacts: Artifacts) -> ModelSource:
    """Return the best model of the run that was last written to."""
    logs = [run / METRICS_FILE for run in run_folders(artifacts)]
    logs = [log for log in logs if log.is_file()]
    if not logs:
        raise Failure(f"no run in {artifacts.root / 'runs'}. Run snac-train, or name a model.")
    run = max(logs, key=lambda log: log.stat().st_mtime_ns).parent
    bring_model(run.name, artifacts)
    return _best_of(run)


def load_model(source: ModelSource, identity: CacheIdentity) -> LoadedModel:
    """Load a model on the CPU, with its weight norms folded.

    Raises:
        Failure: if it cannot be loaded, or if its tokens are of another length than the cached.
    """
    model = load(source.where, tokenizer=identity.model)
    geometry, cached = model.geometry, identity.codec_geometry()
    if (geometry.sample_rate, geometry.hop_length, geometry.vq_strides) != (
        cached.sample_rate,
        cached.hop_length,
        cached.vq_strides,
    ):
        raise _not_its_codes(source, identity, "has another geometry")
    own_codes = weights_sha256(model.tokenizer_modules()) != identity.tokenizer_sha256
    weights = weights_sha256([model])
    return LoadedModel(source, model.fold_weight_norm(), weights, own_codes)


def _not_its_codes(source: ModelSource, identity: CacheIdentity, why: str) -> Failure:
    return Failure(
        f"{source.name} cannot decode these codes: they were made with {identity.model}, and "
        f"{source.name} {why}. Give a model trained from {identity.model}, or --codes with codes "
        f"that {source.name} made."
    )


def _best_of(run: Path) -> ModelSource:
    if not (run / "best").is_dir():
        raise Failure(f"the run {run} has no best/ model. Train it to its first validation.")
    return ModelSource(run.resolve().name, str(run / "best"), run)


def _with_distinct_names(models: list[ModelSource]) -> list[ModelSource]:
    """Number names that occur before: a model may be compared with itself.

    So are names that stand for something else in the results: the reference, and the base's output
    resampled.
    """
    taken = {REFERENCE}
    distinct: list[ModelSource] = []
    for model in models:
        name, number = model.name, 1
        while name in taken:
            number += 1
            name = f"{model.name} ({number})"
        taken.add(name)
        if not distinct:
            taken.add(resampled_name(name))
        distinct.append(replace(model, name=name))
    return distinct
