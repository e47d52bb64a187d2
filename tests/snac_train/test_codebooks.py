"""Codebooks filled with what their levels see, and codes that died revived."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from training import SMALL_CODEC, manifest_of, small_base

from snac_model.codec.quantizer import VectorQuantizer
from snac_train.data.inputs import Inputs, open_inputs
from snac_train.data.reading import Segments
from snac_train.data.segments import Batch
from snac_train.data.slices import Draws
from snac_train.distributed.processes import Processes
from snac_train.recipe.curriculum import Epoch
from snac_train.recipe.tables import Recipe
from snac_train.run.run_folder import RunFolder
from snac_train.training import codebooks
from snac_train.training.codebooks import CodebookKeeper, centroids, fill_codebook, revive_codes
from snac_train.training.objective import Objective

SIZE, CHANNELS, DIMENSIONS, STRIDE = 32, 16, 4, 2
SEGMENT = 60  # coarse tokens; more than the shortest voices have


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def level() -> VectorQuantizer:
    torch.manual_seed(0)
    return VectorQuantizer(CHANNELS, SIZE, DIMENSIONS, STRIDE).requires_grad_(False)


def latents(frames: int, seed: int = 1) -> torch.Tensor:
    """Return latents ``[1, C, frames]`` far off the origin, where directions hardly differ."""
    return torch.randn(1, CHANNELS, frames, generator=seeded(seed)) + 5


def used(level: VectorQuantizer, z: torch.Tensor) -> set[int]:
    return set(level.nearest(level.project(z)).flatten().tolist())


def test_filling_uses_every_code(level: VectorQuantizer) -> None:
    z = latents(STRIDE * SIZE * 20)
    assert len(used(level, z)) < SIZE / 2
    said = fill_codebook(level, z, seeded())
    assert used(level, z) == set(range(SIZE))
    assert "640 vectors, which use 32 of 32 codes" in said


def test_filling_centres_the_projections(level: VectorQuantizer) -> None:
    z = latents(STRIDE * SIZE * 20)
    fill_codebook(level, z, seeded())
    assert level.project(z).mean((0, 2)).abs().max() < 1e-5


def test_a_centroid_is_the_mean_of_those_in_its_direction() -> None:
    directions = F.normalize(torch.randn(8, DIMENSIONS, generator=seeded(3)))
    group = torch.arange(8).repeat_interleave(50)
    lengths = 1 + torch.rand(len(group), 1, generator=seeded(4))
    spread = 0.02 * torch.randn(len(group), DIMENSIONS, generator=seeded(5))
    vectors = directions[group] * lengths + spread
    found = centroids(vectors, 8, seeded())
    nearest = (F.normalize(vectors) @ F.normalize(found).T).argmax(1)
    assert len(nearest.unique()) == 8
    for number in nearest.unique():
        assert torch.allclose(found[number], vectors[nearest == number].mean(0), atol=1e-5)


def test_a_group_that_nothing_is_in_starts_anew() -> None:
    directions = F.normalize(torch.randn(8, DIMENSIONS, generator=seeded(3)))
    often = torch.tensor([60, 5, 5, 5, 5, 5, 5, 5])  # so that most are drawn from one direction
    vectors = directions.repeat_interleave(often, dim=0)
    found = centroids(vectors, 8, seeded())
    assert len((F.normalize(vectors) @ F.normalize(found).T).argmax(1).unique()) >= 7


def test_filling_with_fewer_vectors_than_codes(level: VectorQuantizer) -> None:
    z = latents(STRIDE * 10)
    fill_codebook(level, z, seeded())
    assert level.codebook.weight.isfinite().all()
    projected = level.project(z)
    found = level.lookup(level.nearest(projected))
    assert torch.allclose(F.normalize(found), F.normalize(projected), atol=1e-4)


def test_reviving_replaces_the_unused_codes_alone(level: VectorQuantizer) -> None:
    z = latents(STRIDE * SIZE * 4)
    before, kept = level.codebook.weight.clone(), used(level, z)
    others = {name: value.clone() for name, value in level.state_dict().items()}
    assert 0 < len(kept) < SIZE
    said = revive_codes(level, z, seeded())
    vectors = {tuple(vector) for vector in level.project(z)[0].T.tolist()}
    revived = [number for number in range(SIZE) if number not in kept]
    for number, code in enumerate(level.codebook.weight):
        assert code.equal(before[number]) == (number in kept)
        assert (tuple(code.tolist()) in vectors) == (number not in kept)
    assert len({tuple(level.codebook.weight[number].tolist()) for number in revived}) == len(
        revived
    )
    assert f"{len(revived)} of 32 codes" in said
    for name, value in level.state_dict().items():
        assert value.equal(others[name]) == (name != "codebook.weight")


def test_reviving_leaves_a_codebook_in_full_use_as_it_is(level: VectorQuantizer) -> None:
    z = latents(STRIDE * SIZE * 20)
    fill_codebook(level, z, seeded())
    before = level.codebook.weight.clone()
    revive_codes(level, z, seeded())
    assert level.codebook.weight.equal(before)


def test_reviving_more_codes_than_there_are_vectors(level: VectorQuantizer) -> None:
    z = latents(STRIDE * 3)
    kept = used(level, z)
    before = level.codebook.weight.clone()
    revive_codes(level, z, seeded())
    changed = (level.codebook.weight != before).any(1).nonzero()[:, 0].tolist()
    assert set(changed) == set(range(SIZE)) - kept


@pytest.mark.parametrize("change", [fill_codebook, revive_codes])
def test_the_same_generator_gives_the_same_codes(change: codebooks.Change) -> None:
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(7)
        level = VectorQuantizer(CHANNELS, SIZE, DIMENSIONS, STRIDE).requires_grad_(False)
        change(level, latents(STRIDE * SIZE * 4), seeded(seed))
        found.append(level.codebook.weight)
    assert found[0].equal(found[1])
    assert not found[0].equal(found[2])


class Sampler:
    """The training segments of a recipe, as a trainer gives them to a keeper."""

    def __init__(self, recipe: Recipe, inputs: Inputs) -> None:
        self.recipe = recipe
        self.inputs = inputs
        self.given: list[Batch] = []

    def __call__(self, epoch: Epoch, draws: Draws) -> Iterator[Batch]:
        source = replace(self.inputs.source(self.recipe), context=0)
        dataset = source.dataset(Segments("train", SEGMENT, draws))
        for item in range(len(dataset)):
            self.given.append(dataset.batch([item]))
            yield self.given[-1]


def keeper_of(
    voices: Path, architecture: Path, folder: Path, **settings: str
) -> tuple[CodebookKeeper, Sampler]:
    recipe = small_base(architecture, **settings)
    torch.manual_seed(0)
    inputs = open_inputs(recipe, voices, manifest_of(voices))
    sampler = Sampler(recipe, inputs)
    return (
        CodebookKeeper(
            recipe,
            Objective(inputs.model, recipe),
            first_epoch=2,
            sample=sampler,
            processes=Processes("cpu"),
            log=RunFolder(folder, writes=False).log,
        ),
        sampler,
    )


def epoch_of(number: int) -> Epoch:
    return Epoch(number, 0, "main", 0.6, SEGMENT, 1, 7)


def test_a_keeper_fills_before_main_and_revives_on_time(
    voices: Path, architecture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[int, str]] = []
    keeper, _ = keeper_of(voices, architecture, tmp_path, codebooks__revive_every="3")
    monkeypatch.setattr(
        keeper, "_change", lambda epoch, change: done.append((epoch.number, change.__name__))
    )
    for number in range(1, 12):
        keeper.before(epoch_of(number))
    revivals = [(number, "revive_codes") for number in (5, 8, 11)]
    assert done == [(2, "fill_codebook"), *revivals]


def test_what_a_keeper_does_depends_on_weights_seed_and_epoch_alone(
    voices: Path, architecture: Path, tmp_path: Path
) -> None:
    found = []
    for seed, history in (("0", ()), ("0", (1, 2, 3)), ("1", ())):
        keeper, _ = keeper_of(voices, architecture, tmp_path, data__seed=seed)
        model = keeper.objective.model
        start = {name: value.clone() for name, value in model.state_dict().items()}
        for number in history:
            torch.rand(number)
            keeper.before(epoch_of(number))
        model.load_state_dict(start)
        keeper.before(epoch_of(2))
        found.append({name: value.clone() for name, value in model.quantizer.state_dict().items()})
    for name, value in found[0].items():
        assert value.equal(found[1][name]), name
    assert not found[0]["quantizers.0.codebook.weight"].equal(
        found[2]["quantizers.0.codebook.weight"]
    )


def test_nothing_but_the_utterances_own_tokens_is_looked_at(
    voices: Path, architecture: Path, tmp_path: Path
) -> None:
    keeper, sampler = keeper_of(voices, architecture, tmp_path)
    with torch.no_grad():
        found = keeper._latents(epoch_of(2))
    model = keeper.objective.model
    frames = model.geometry.tokens_per_coarse[-1]
    expected = []
    for batch in sampler.given:
        with torch.no_grad():
            whole = model.encoder(keeper.objective._windows(batch))
        expected.append(whole[:, :, : int(batch.tokens[0]) * frames])
    assert any(int(batch.tokens[0]) < SEGMENT for batch in sampler.given)
    assert torch.cat(expected, -1).equal(found)
    tokens = found.shape[-1] // frames
    wanted = 2 * model.config.codebook_size
    assert wanted <= tokens < wanted + SEGMENT


def test_each_level_is_filled_from_what_those_before_it_leave(
    voices: Path, architecture: Path, tmp_path: Path
) -> None:
    keeper, _ = keeper_of(voices, architecture, tmp_path)
    keeper.before(epoch_of(2))
    with torch.no_grad():
        z = keeper._latents(epoch_of(2))
        _, codes = keeper.objective.model.quantizer(z)
    for number, indices in enumerate(codes):
        vectors, size = indices.numel(), SMALL_CODEC().config.codebook_size
        assert len(indices.unique()) == size, (number, vectors)
