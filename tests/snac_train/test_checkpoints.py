"""Checkpoints prove that they are whole, or are passed over by name."""

import os
from pathlib import Path

import pytest
import torch

from snac_common.errors import Failure
from snac_train.run.checkpoints.checkpoint import (
    STATED,
    Checkpoint,
    check_whole,
    damage,
    read_checkpoint,
    write_checkpoint,
)
from snac_train.run.checkpoints.random_state import random_state, restore_random_state
from snac_train.run.checkpoints.rotation import Checkpoints

FILES = (
    "model.safetensors",
    "config.json",
    "modules/average.safetensors",
    "players/decoder.pt",
    "random.pt",
    "state.json",
    "manifest.json",
)


def checkpoint(step: int) -> Checkpoint:
    generator = torch.Generator().manual_seed(step)
    weight = torch.nn.Parameter(torch.randn(3, 4, generator=generator))
    optimizer = torch.optim.AdamW([{"params": [weight], "name": "trunk"}])
    weight.grad = torch.ones_like(weight)
    optimizer.step()
    model = {"weight": weight.detach()}
    state = dict.fromkeys(STATED) | {"step": step}
    players = {"decoder": optimizer.state_dict(), "other": {"weights": {}}}
    return Checkpoint(model, {}, {"average": model}, players, [random_state()], state)


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    written = checkpoint(1)
    write_checkpoint(tmp_path / "step-1", written)
    assert damage(tmp_path / "step-1") is None
    read = read_checkpoint(tmp_path / "step-1")
    assert read.state == written.state
    assert read.model["weight"].equal(written.model["weight"])
    assert read.modules["average"]["weight"].equal(written.modules["average"]["weight"])
    assert read.players.keys() == written.players.keys()
    groups = [players["decoder"]["param_groups"] for players in (read.players, written.players)]
    assert groups[0] == groups[1]
    moments, expected = (
        players["decoder"]["state"][0] for players in (read.players, written.players)
    )
    assert all(moments[name].equal(expected[name]) for name in ("step", "exp_avg", "exp_avg_sq"))
    files = [path for path in (tmp_path / "step-1").rglob("*") if path.is_file()]
    names = {str(path.relative_to(tmp_path / "step-1")) for path in files}
    assert names == {*FILES, "players/other.pt"}


def test_random_states_come_back(tmp_path: Path) -> None:
    import random

    import numpy as np

    write_checkpoint(tmp_path / "step-1", checkpoint(1))

    def draw() -> tuple[float, float, float]:
        return float(torch.rand(1)), float(np.random.rand()), random.random()

    drawn = draw()
    assert draw() != drawn
    restore_random_state(read_checkpoint(tmp_path / "step-1").random[0])
    assert draw() == drawn


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["a bit", "its end", "all of it"])
def test_every_damage_is_found(tmp_path: Path, name: str, how: str) -> None:
    folder = tmp_path / "step-1"
    write_checkpoint(folder, checkpoint(1))
    content = bytearray((folder / name).read_bytes())
    if how == "all of it":
        (folder / name).unlink()
    elif how == "its end":
        (folder / name).write_bytes(content[:-3])
    else:
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
    problem = damage(folder)
    assert problem is not None
    assert name in problem or name == "manifest.json"
    with pytest.raises(Failure, match="is damaged"):
        check_whole(folder)


def test_damaged_ones_are_named_and_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = Checkpoints(tmp_path, keep=3)
    for step in (10, 20, 30):
        checkpoints.save(step, checkpoint(step))
    (tmp_path / "step-00000030/players/decoder.pt").write_bytes(b"x")
    os.truncate(tmp_path / "step-00000020/model.safetensors", 50)
    newest = checkpoints.newest_whole()
    assert newest == tmp_path / "step-00000010"
    said = capsys.readouterr().err
    assert "step-00000030 is damaged (players/decoder.pt" in said
    assert "step-00000020 is damaged (model.safetensors has 50 bytes" in said
    (newest / "state.json").unlink()
    with pytest.raises(Failure, match="every checkpoint"):
        checkpoints.newest_whole()


def test_the_newest_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in (5, 10, 100_000_000, 7):
        checkpoints.save(step, checkpoint(step))
    assert [path.name for path in checkpoints.newest_first()] == ["step-100000000", "step-00000010"]


def test_epochs_are_kept_by_their_number_beside_the_newest(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=1)
    for step, epoch in ((4, None), (5, 1), (8, None), (10, 2), (11, None)):
        checkpoints.save(step, checkpoint(step), epoch)
    assert [path.name for path in checkpoints.newest_first()] == [
        "step-00000011",
        "step-00000010",
        "step-00000005",
    ]
    for epoch, step in ((1, 5), (2, 10)):
        assert read_checkpoint(check_whole(tmp_path / f"epoch-{epoch:03}")).state["step"] == step
    checkpoints.set_aside(5)
    assert sorted(path.name for path in tmp_path.glob("epoch-*")) == ["epoch-001"]
    checkpoints.save(9, checkpoint(9), 2)  # another course of the same epoch
    assert read_checkpoint(check_whole(tmp_path / "epoch-002")).state["step"] == 9


def test_what_lies_after_the_step_is_set_aside(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=3)
    for step in (1, 2, 3):
        checkpoints.save(step, checkpoint(step))
    checkpoints.set_aside(1)
    assert [path.name for path in checkpoints.newest_first()] == ["step-00000001"]
    assert read_checkpoint(tmp_path / "aside-step-00000003").state["step"] == 3


def test_an_interrupted_writer_leaves_nothing_that_is_trusted(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=3)
    checkpoints.save(1, checkpoint(1))
    checkpoints.save(2, checkpoint(2))
    (tmp_path / "step-00000002").rename(tmp_path / "step-00000002.partial")
    assert checkpoints.newest_whole() == tmp_path / "step-00000001"
    checkpoints.save(2, checkpoint(2))
    assert checkpoints.newest_whole() == tmp_path / "step-00000002"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("model.safetensors", b"x" * 99, "SafetensorError"),
        ("config.json", b"{", "JSONDecodeError"),
        ("state.json", b"[]", "AttributeError"),
        ("state.json", b"{}", r"lacks epoch, .*tracker"),
    ],
)
def test_what_was_never_written_is_refused(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    write_checkpoint(tmp_path / "step-1", checkpoint(1))
    (tmp_path / "step-1" / name).write_bytes(content)
    with pytest.raises(Failure, match=said):
        read_checkpoint(tmp_path / "step-1")


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["players/decoder.pt", "random.pt"])
def test_no_pickle_is_executed(tmp_path: Path, name: str) -> None:
    write_checkpoint(tmp_path / "step-1", checkpoint(1))
    torch.save({"state": Bomb(tmp_path / "executed")}, tmp_path / "step-1" / name)
    with pytest.raises(Failure, match="cannot be read"):
        read_checkpoint(tmp_path / "step-1")
    assert not (tmp_path / "executed").exists()
    torch.load(tmp_path / "step-1" / name, weights_only=False)
    assert (tmp_path / "executed").exists()  # it would have been


def test_a_full_disk_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save(1, checkpoint(1))

    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("snac_train.run.checkpoints.checkpoint.save_file", no_room)
    with pytest.raises(Failure, match=r"No space left.*--resume"):
        checkpoints.save(2, checkpoint(2))
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
    assert checkpoints.newest_whole() == tmp_path / "step-00000001"
