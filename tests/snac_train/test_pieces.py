"""Steps are taken in pieces that fit into memory, and the pieces are chosen before the night."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from training import manifest_of, small_recipe
from whole_runs import adversarial_recipe, metrics, run

from snac_common.errors import Failure
from snac_train.data.inputs import open_inputs
from snac_train.data.reading import Segments
from snac_train.data.segments import Batch
from snac_train.data.slices import Draws
from snac_train.distributed.processes import Processes
from snac_train.session import pieces
from snac_train.session.run_setup import Start
from snac_train.training import step_memory
from snac_train.training.discriminators import make_discriminators
from snac_train.training.stage import Stage
from snac_train.training.step_memory import StepMemory, measure_step, repeated
from snac_train.training.trained import Trained

PLENTY = 10**12


@given(
    memory=st.builds(StepMemory, st.integers(0, 10**9), st.integers(1, 10**9), st.floats(0, 10**6)),
    tokens=st.integers(8, 100),
    items=st.integers(1, 200),
    available=st.integers(0, 10**11),
)
def test_pieces_fit_and_fewer_would_not(
    memory: StepMemory, tokens: int, items: int, available: int
) -> None:
    found = memory.pieces(tokens, items, available)
    if found is None:
        assert memory.of(tokens, 1) > available
        return
    assert memory.of(tokens, -(-items // found)) <= available
    assert found == 1 or memory.of(tokens, -(-items // (found - 1))) > available


def test_what_is_measured_is_what_autograd_keeps(voices: Path) -> None:
    """A step twice as long, or on twice as many segments, keeps twice as much beside weights."""
    recipe = small_recipe()
    inputs = open_inputs(recipe, voices, manifest_of(voices))
    source, draws = inputs.source(recipe), Draws.for_epoch(0, 0)
    trained = Trained.of("main", inputs.model, recipe)

    def silence(tokens: int) -> Batch:
        return source.dataset(Segments("train", tokens, draws)).silence()

    weights = sum(weight.nbytes for weight in trained.parameters)
    memory = measure_step(trained.objective, trained.parameters, silence)
    for tokens in (24, 64):
        one = source.dataset(Segments("train", tokens, draws)).silence()
        first, second, third = (
            step_memory._kept(trained.objective, trained.parameters, repeated(one, items))
            for items in (1, 2, 3)
        )
        item = second - first
        assert third - second == pytest.approx(item, rel=0.01)
        assert memory.of(tokens, 1) - memory.fixed == pytest.approx(1.35 * item, rel=0.1)
        assert memory.fixed == pytest.approx(3 * weights + first - item, rel=0.05)


def test_discriminators_need_memory_too(voices: Path) -> None:
    """In their own turn more than in the decoder's, as they learn from two signals there."""
    recipe = adversarial_recipe()
    inputs = open_inputs(recipe, voices, manifest_of(voices))
    source, draws = inputs.source(recipe), Draws.for_epoch(0, 0)

    def silence(tokens: int) -> Batch:
        return source.dataset(Segments("train", tokens, draws)).silence()

    discriminators = make_discriminators(recipe)
    assert discriminators is not None
    memory = Trained.of("main", inputs.model, recipe, discriminators).memory(silence)
    alone = Trained.of("main", inputs.model, recipe).memory(silence)
    moments = 3 * sum(weight.nbytes for weight in discriminators.parameters())
    assert memory.fixed > alone.fixed + moments
    assert memory.short > 1.2 * alone.short
    assert memory.per_token > 1.2 * alone.per_token


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have memory for one segment of the longest kind, or two of the shortest."""
    memory = StepMemory(0, 8, 1)
    monkeypatch.setattr(Trained, "memory", lambda *_: memory)
    monkeypatch.setattr(pieces, "available_bytes", lambda *_: memory.of(38, 1))


@pytest.mark.usefixtures("little_memory")
def test_a_run_takes_as_many_pieces_as_it_must(voices: Path, tmp_path: Path) -> None:
    run(small_recipe(), voices, tmp_path / "run")
    log = (tmp_path / "run/train.log").read_text()
    assert "3 segments of 0.4 s at once (epoch 3)" in log
    assert "each is taken in 3 pieces" in log
    state = max((tmp_path / "run/checkpoints").iterdir()) / "state.json"
    found = json.loads(state.read_text())["pieces"]
    assert {kind.partition(",")[0]: count for kind, count in found.items()} == {
        "warmup": 1,
        "main": 3,
    }


def test_pieces_come_to_what_the_whole_comes_to(
    voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower = {"optimizer__warmup_lr": "2e-4", "optimizer__main_lr": "2e-4"}
    recipe = small_recipe(
        curriculum__epochs="3", **lower
    )  # at larger rates the last bits become much
    run(recipe, voices, tmp_path / "whole")
    memory = StepMemory(0, 8, 1)
    monkeypatch.setattr(Trained, "memory", lambda *_: memory)
    monkeypatch.setattr(pieces, "available_bytes", lambda *_: memory.of(38, 1))
    run(recipe, voices, tmp_path / "pieces")
    losses = [
        [line["loss"] for line in metrics(tmp_path / name, "train")] for name in ("whole", "pieces")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.usefixtures("little_memory")
def test_a_resumed_run_takes_the_pieces_that_it_took(
    voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = {"checkpoint__every_steps": "1", "checkpoint__keep": "99"}
    run(small_recipe(**every), voices, tmp_path / "run")
    before = metrics(tmp_path / "run", "train")
    monkeypatch.setattr(pieces, "available_bytes", lambda *_: PLENTY)
    checkpoint = tmp_path / "run/checkpoints/step-00000007"
    start = Start(resume=True, checkpoint=checkpoint)
    run(small_recipe(**every), voices, tmp_path / "run", start=start)
    for line, then in zip(metrics(tmp_path / "run", "train"), before, strict=True):
        assert line["loss"] == then["loss"]


def test_what_does_not_fit_at_all_is_said_before_it_begins(
    voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "available_bytes", lambda *_: 10)
    with pytest.raises(Failure, match=r"one segment is the least.*--segment-schedule"):
        run(small_recipe(), voices, tmp_path / "run")
    recipe = small_recipe(optimizer__accumulate="1", curriculum__epochs="1")
    run(recipe, voices, tmp_path / "asked")
    assert "optimizer.accumulate=2 would fit" in (tmp_path / "asked/train.log").read_text()


def test_out_of_memory_says_what_to_set(
    voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(Stage, "step", no_memory)
    with pytest.raises(Failure, match=r"optimizer\.accumulate=4.*--resume"):
        run(small_recipe(), voices, tmp_path / "run")


def test_a_gpu_tries_its_largest_piece(
    voices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the rehearsal of a GPU that takes two segments at once, and no more."""
    sizes: list[int] = []

    def rehearse(self: Trained, batch: object) -> None:
        sizes.append(len(batch))  # type: ignore[arg-type]
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(Trained, "rehearse", rehearse)
    recipe = small_recipe()
    inputs = open_inputs(recipe, voices, manifest_of(voices))
    source, processes = inputs.source(recipe), Processes("cpu")
    chosen = pieces.Pieces(
        0,
        lambda tokens: source.dataset(Segments("train", tokens, Draws.for_epoch(0, 0))).silence(),
        processes=processes,
        log=print,
    )
    epoch = pieces.Epoch(1, 0, "main", 0.4, 38, 12, 1)
    monkeypatch.setattr(pieces, "tries", lambda device: True)
    chosen.choose(Trained.of("main", inputs.model, recipe), [epoch])
    assert chosen.of(epoch) == 8
    assert sizes == [12, 6, 3, 2]


def test_what_one_rank_has_no_room_for_ends_all(
    voices: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others would wait for a rank that failed alone."""
    told: list[Failure | None] = []
    processes = Processes("cpu")
    monkeypatch.setattr(processes, "fail_together", told.append)
    monkeypatch.setattr(pieces, "available_bytes", lambda *_: 10)
    recipe = small_recipe()
    inputs = open_inputs(recipe, voices, manifest_of(voices))
    source = inputs.source(recipe)
    chosen = pieces.Pieces(
        0,
        lambda tokens: source.dataset(Segments("train", tokens, Draws.for_epoch(0, 0))).silence(),
        processes=processes,
        log=print,
    )
    epoch = pieces.Epoch(1, 0, "main", 0.4, 38, 12, 1)
    chosen.choose(Trained.of("main", inputs.model, recipe), [epoch])
    assert [str(failure) for failure in told if failure]
