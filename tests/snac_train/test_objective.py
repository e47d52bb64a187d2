"""A segment's losses are those of the whole utterance, against the whole file's audio."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from other_decoder import other_model
from torch import nn
from training import SMALL_CODEC, manifest_of, small_recipe

from snac_cache.store.code_store import CodeStore
from snac_model.audio.reading import read_mono, resample
from snac_model.codec.dual_head import DualHeadSNAC
from snac_model.codec.snac import SNAC
from snac_model.layers.noise import no_noise
from snac_train.data.dataset import SegmentDataset, Utterances
from snac_train.data.inputs import open_inputs
from snac_train.data.loading import Readers
from snac_train.data.references import Targets
from snac_train.data.segments import Batch
from snac_train.data.slices import Draws
from snac_train.distributed.processes import Processes
from snac_train.distributed.signals import Requests
from snac_train.recipe.curriculum import StageName
from snac_train.training.metrics import Blame
from snac_train.training.objective import Objective
from snac_train.training.optimization import freeze_all_but, parameter_groups
from snac_train.training.validation import Validators

TRAINED = {"warmup": ("head_48k",), "main": ("trunk", "head_48k", "head_24k")}
RATES = {"24k": 24_000, "48k": 48_000}


def make_objective(noise: bool = True) -> Objective:
    return Objective(DualHeadSNAC.from_base(SMALL_CODEC(noise)), small_recipe())


def read_batch(codes: Path, segment_tokens: int, context: int) -> tuple[CodeStore, Batch]:
    store = CodeStore(codes, "train")
    model = make_objective().model
    rows = store.with_target()
    draws = Draws.for_epoch(0, 1)
    utterances = Utterances(store, rows)
    dataset = SegmentDataset(
        utterances,
        Targets(),
        model.geometry,
        segment_tokens=segment_tokens,
        context=context,
        draws=draws,
    )
    return store, dataset.batch(range(len(rows)))


def segment_start(store: CodeStore, name: str, segment_tokens: int) -> int:
    available = store.coarse_tokens(store.index_of(name))
    return Draws.for_epoch(0, 1).start(name, segment_tokens, available)


@torch.no_grad()
def largest_difference(voices: Path, context: int) -> float:
    """Compare segments decoded with ``context`` to the same part of whole utterances."""
    objective = make_objective(noise=False)
    store, batch = read_batch(voices, 12, context)
    outputs = objective.decode(objective.latents(batch)[0], batch)
    largest = 0.0
    for head, rate in RATES.items():
        segments = objective.cut(outputs[head], rate, batch)
        for item, name in enumerate(batch.utterance_ids):
            whole = whole_decoding(objective.model, store, name, head)
            start = segment_start(store, name, 12)
            span = objective.model.geometry.sample_span(rate, start, 12)
            largest = max(largest, float((segments[item] - whole[span]).abs().max()))
    return largest


@torch.no_grad()
def whole_decoding(model: SNAC, store: CodeStore, name: str, head: str) -> torch.Tensor:
    levels = store.codes(store.index_of(name))
    codes = [torch.from_numpy(level.astype("int64"))[None] for level in levels]
    audio_24k, audio_48k = model.decode(codes, no_noise)
    return {"24k": audio_24k, "48k": audio_48k}[head][0, 0]


def test_a_segment_decodes_as_in_its_whole_utterance(voices: Path) -> None:
    context = make_objective().model.geometry.context_tokens
    assert largest_difference(voices, context) < 1e-5
    assert largest_difference(voices, 0) > 1e-3


def test_targets_are_slices_of_the_whole_files_resampling(voices: Path) -> None:
    objective = make_objective()
    store, batch = read_batch(voices, 12, 3)
    targets = objective.references(batch)
    for item, name in enumerate(batch.utterance_ids):
        whole, rate = read_mono(store[store.index_of(name)].target_path or "")
        start = segment_start(store, name, 12)
        for head, head_rate in RATES.items():
            span = objective.model.geometry.sample_span(head_rate, start, 12)
            expected = resample(whole, rate, head_rate)[span]
            assert len(expected) == batch.valid[head_rate][item]
            difference = targets[head][item, : len(expected)] - expected
            assert difference.abs().max() < 1e-6


def test_what_lies_beyond_an_utterance_changes_no_loss(voices: Path) -> None:
    objective = make_objective()
    store = CodeStore(voices, "train")
    utterances = Utterances(store, np.arange(1))
    draws = Draws.for_epoch(0, 1)
    dataset = SegmentDataset(
        utterances,
        Targets(),
        objective.model.geometry,
        segment_tokens=50,
        context=3,
        draws=draws,
    )
    batch = dataset.batch([0])
    losses = objective(batch)
    assert batch.tokens[0] < 50
    for level in batch.codes:
        per_coarse = level.shape[-1] // batch.codes[0].shape[-1]
        level[0, per_coarse * int(batch.tokens[0]) :] = 7
    end = batch.margin + int(batch.valid[48_000][0])
    batch.audio[0, end + batch.margin :] = 0.5  # nearer, it would be part of the last own sample
    assert objective(batch)["loss"].equal(losses["loss"])


@pytest.mark.parametrize("stage", ["warmup", "main"])
def test_only_a_stages_groups_get_gradients(voices: Path, stage: StageName) -> None:
    objective = make_objective()
    groups = parameter_groups(objective.model, small_recipe().model)
    trained = {weight for name in TRAINED[stage] for weight in groups[name]}
    freeze_all_but(objective.model, trained)
    _, batch = read_batch(voices, 12, 3)
    ran_backwards = watch_backward(objective.model)
    objective(batch)["loss"].mean().backward()
    with_gradient = {weight for weight in objective.parameters() if weight.grad is not None}
    assert with_gradient == trained
    assert all("encoder" not in name and "quantizer" not in name for name in ran_backwards)
    if stage == "warmup":
        assert all(name.startswith("head_48k") for name in ran_backwards)


def watch_backward(model: nn.Module) -> set[str]:
    """Return a set that will hold the name of every layer whose output gets a gradient."""
    seen: set[str] = set()

    def watch(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, __: object, output: object) -> None:
            if isinstance(output, torch.Tensor) and output.requires_grad:
                seen.add(name)

        return hook

    for name, module in model.named_modules():
        if name and not list(module.children()):
            module.register_forward_hook(watch(name))
    return seen


def test_every_weight_is_in_one_group_or_frozen_for_good() -> None:
    model = make_objective().model
    groups = parameter_groups(model, small_recipe().model)
    grouped = [weight for group in groups.values() for weight in group]
    frozen = [weight for part in model.tokenizer_modules() for weight in part.parameters()]
    assert len(set(grouped)) == len(grouped)
    assert {*grouped, *frozen} == set(model.parameters())
    assert not {*grouped} & {*frozen}


def test_another_decoder_is_trained_by_its_own_groups(
    voices: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = other_model(SMALL_CODEC(), monkeypatch)
    _, batch = read_batch(voices, 12, 3)
    groups = parameter_groups(model, small_recipe().model)
    freeze_all_but(model, groups["decoder"])
    losses = Objective(model, small_recipe())(batch)
    losses["loss"].mean().backward()
    assert list(groups) == ["decoder"]
    assert {"24k/stft", "48k/stft"} < set(losses)
    assert all(weight.grad is not None for weight in groups["decoder"])


def test_validation_does_not_depend_on_the_batch_size_or_on_when_it_is_done(voices: Path) -> None:
    objective = make_objective()
    processes = Processes("cpu")
    results = []
    for batch_size in (1, 2, 5, 3, 1):
        recipe = small_recipe(validation__batch_size=str(batch_size))
        inputs = open_inputs(recipe, voices, manifest_of(voices))
        readers = Readers(inputs.source(recipe), 0)
        validators = Validators(
            recipe, inputs, readers, processes=processes, requests=Requests(), reject=print
        )
        validator = validators.of(0.4)
        torch.rand(batch_size)  # a generator's history must not matter
        results.append(validator.validate(objective) | validator.resampled(objective, objective))
    assert results[0] == results[-1]
    assert len(results[0]) == 10
    for result in results[1:]:
        assert result == pytest.approx(results[0], rel=1e-6)


@pytest.mark.parametrize("terms", ["l1", "stft", "stft,l1"])
def test_the_recipe_names_the_terms(voices: Path, terms: str) -> None:
    recipe = small_recipe(loss__terms=terms, loss__l1_weight="3", loss__stft_weight="0.25")
    _, batch = read_batch(voices, 12, 3)
    losses = Objective(make_objective().model, recipe)(batch)
    weights = {"l1": 3.0, "stft": 0.25}
    for head in ("24k", "48k"):
        named = {name.partition("/")[2] for name in losses if name.startswith(head)}
        assert named == {"loss", *terms.split(",")}
        total = sum(weights[term] * losses[f"{head}/{term}"] for term in terms.split(","))
        assert torch.is_tensor(total)
        torch.testing.assert_close(losses[f"{head}/loss"], total)


def test_a_loss_that_is_not_finite_names_its_utterance(voices: Path) -> None:
    _, batch = read_batch(voices, 12, 3)
    losses = {"loss": torch.ones(len(batch)), "24k/l1": torch.ones(len(batch))}
    blame = Blame()
    blame.add(losses, batch)
    assert blame.not_finite() == []
    losses["24k/l1"][2] = torch.inf
    blame.add(losses, batch)
    assert blame.not_finite() == [batch.utterance_ids[2]]
