"""Runs of every phase as folders for the Hub: loaded by others, as ONNX, and uploaded."""

import base64
import json
import re
import threading
import tomllib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import onnxruntime
import pytest
import snac
import tomli_w
import torch
from huggingface_hub import ModelCard
from models import audio, codes
from training import SMALL_CODEC, SMALL_RECIPE, make_cache, write_voice
from whole_runs import run as train
from workplace import run, snapshot, succeed

from snac_model import SNAC, DualHeadSNAC, SeededNoise, load, no_noise, save
from snac_model.export import folder as export_folder
from snac_model.export import onnx_files
from snac_model.layers.noise import Position
from snac_train.recipe.load import load_recipe

EXPORT = "snac_model.cli.export"
ONE_EPOCH = SMALL_RECIPE | {
    "curriculum.epochs": "1",  # in phase 12, and 11, all of it warm-up
    "curriculum.batch_size": "4",
    "curriculum.epoch_ranges": "1-1",
    "curriculum.segment_s": "0.2",
    "curriculum.batch_multiplier": "1",
    "validation.curriculum": "false",
}
PHASES = (10, 11, 12)
# Of a run with one head at 24 kHz there is nothing that the one with two has not.
EXPORTED = (pytest.param(10, marks=pytest.mark.campaign), 11, 12)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of each phase, named by its number, from the small codec in ``small/``."""
    root = tmp_path_factory.mktemp("export")
    save(SMALL_CODEC(), root / "small")
    for number in range(4):
        write_voice(root / f"in/train/{number}.wav", 0.4 + 0.1 * number, number)
    write_voice(root / "in/val/0.wav", 0.6, 100)
    codes_folder = make_cache(root / "in", root / "artifacts", root / "small")
    for phase in PHASES:
        recipe = load_recipe(phase, ONE_EPOCH.items())
        train(recipe, codes_folder, root / f"artifacts/runs/{phase}")
    return root / "artifacts"


@pytest.fixture(scope="module")
def exported(artifacts: Path) -> Callable[[int], Path]:
    """Export a phase's run, once."""
    folders: dict[int, Path] = {}

    def once(phase: int) -> Path:
        if phase not in folders:
            summary = succeed(EXPORT, phase, "--artifacts", artifacts)
            folders[phase] = Path(summary["output"])
        return folders[phase]

    return once


def best(artifacts: Path, phase: int) -> SNAC:
    return load(artifacts / f"runs/{phase}/best")


@torch.inference_mode()
def by_rate(model: SNAC, levels: list[torch.Tensor]) -> dict[int, torch.Tensor]:
    torch.manual_seed(3)
    return model.decode_by_rate(levels)


@pytest.mark.parametrize("phase", EXPORTED)
def test_the_official_package_loads_it_and_gives_our_audio(
    artifacts: Path, exported: Callable[[int], Path], phase: int
) -> None:
    official = snac.SNAC.from_pretrained(str(exported(phase)))
    ours = best(artifacts, phase)
    with torch.inference_mode():
        for length in (1_000, 20_011):
            levels = official.encode(audio(length))
            assert all(map(torch.equal, levels, ours.encode(audio(length))))
            torch.manual_seed(3)
            theirs = official.decode(levels)
            rate, expected = next(iter(by_rate(ours, levels).items()))
            assert rate == (48_000 if phase == 11 else 24_000)
            torch.testing.assert_close(theirs, expected, rtol=0, atol=1e-6)


def test_after_warm_up_alone_it_decodes_at_24_khz_exactly_as_the_base(
    artifacts: Path, exported: Callable[[int], Path]
) -> None:
    base, folder = load(artifacts.parent / "small"), exported(12)
    levels = codes(base, 9)
    wanted = by_rate(base, levels)[24_000]
    assert torch.equal(by_rate(load(folder), levels)[24_000], wanted)
    both = by_rate(load(folder / "dual_head"), levels)
    assert torch.equal(both[24_000], wanted)
    untrained = by_rate(DualHeadSNAC.from_base(base), levels)[48_000]
    assert not torch.equal(both[48_000], untrained), "warm-up trained the new head"


def test_the_second_head_is_the_runs(artifacts: Path, exported: Callable[[int], Path]) -> None:
    model = best(artifacts, 12)
    written = load(exported(12) / "dual_head").state_dict()
    assert written.keys() == model.state_dict().keys()
    assert all(torch.equal(written[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("phase", EXPORTED)
def test_onnx_agrees_with_torch_at_any_length_and_batch_size(
    artifacts: Path, exported: Callable[[int], Path], phase: int
) -> None:
    model, folder = best(artifacts, phase), exported(phase) / "onnx"
    encoder = onnx_files.open_session(folder / "encoder.onnx")
    for batch, length in ((1, 1), (1, 4_097), (4, 1_311), (2, 24_000)):
        sound = audio(length, batch)
        answer = encoder.run(None, {"audio": sound.numpy()})
        with torch.inference_mode():
            expected = model.encode(sound)
        assert [level.shape for level in answer] == [tuple(level.shape) for level in expected]
        assert all(np.array_equal(*both) for both in zip(answer, expected, strict=True))
    for rate in model.geometry.output_rates:
        decoder = onnx_files.open_session(folder / f"decoder_{rate}.onnx")
        for batch, tokens in ((1, 1), (3, 4), (1, 37), (5, 2)):
            levels = codes(model, tokens, batch)
            drawn: dict[str, np.ndarray] = {}
            wanted = decode_keeping(model, levels, drawn)[rate].numpy()
            names = {entry.name for entry in decoder.get_inputs()}
            given = as_inputs(levels) | {k: v for k, v in drawn.items() if k in names}
            (got,) = decoder.run(None, given)
            assert "noise_1" in names
            np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-4)


def as_inputs(levels: list[torch.Tensor]) -> dict[str, np.ndarray]:
    return {f"codes_{level}": tokens.numpy() for level, tokens in enumerate(levels)}


@torch.inference_mode()
def decode_keeping(
    model: SNAC, levels: list[torch.Tensor], drawn: dict[str, np.ndarray]
) -> dict[int, torch.Tensor]:
    """Decode with seeded noise, and leave that noise in ``drawn``."""
    source = SeededNoise(list(range(len(levels[0]))))

    def keep(features: torch.Tensor, block: int, start: Position = 0) -> torch.Tensor:
        noise = source(features, block, start)
        drawn[f"noise_{block}"] = noise.numpy()
        return noise

    return model.decode_by_rate(levels, keep)


def test_noise_can_be_left_out_of_onnx(artifacts: Path, tmp_path: Path) -> None:
    model = best(artifacts, 10)
    succeed(EXPORT, 10, "--artifacts", artifacts, "-o", tmp_path / "out", "--noise", "off")
    decoder = onnx_files.open_session(tmp_path / "out/onnx/decoder_24000.onnx")
    levels = codes(model, 5, 2)
    (got,) = decoder.run(None, as_inputs(levels))
    with torch.inference_mode():
        np.testing.assert_allclose(got, model.decode(levels, no_noise), rtol=0, atol=1e-4)


def test_half_halves_the_decoder_and_leaves_the_codes_alone(
    artifacts: Path, exported: Callable[[int], Path], tmp_path: Path
) -> None:
    model, folder = best(artifacts, 12), tmp_path / "half"
    succeed(EXPORT, 12, "--artifacts", artifacts, "-o", folder, "--half")
    for name in ("pytorch_model.bin", "dual_head/model.safetensors", "onnx/decoder_48000.onnx"):
        assert (folder / name).stat().st_size < 0.9 * (exported(12) / name).stat().st_size, name
    stored = torch.load(folder / "pytorch_model.bin", weights_only=True)
    kinds = {name: value.dtype for name, value in stored.items()}
    assert kinds.pop("quantizer.quantizers.0.codebook.weight") == torch.float32
    assert {kind for name, kind in kinds.items() if name.startswith("decoder")} == {torch.float16}
    official = snac.SNAC.from_pretrained(str(folder))
    with torch.inference_mode():
        levels = official.encode(audio(9_000))
        assert all(map(torch.equal, levels, model.encode(audio(9_000))))
        torch.manual_seed(3)
        error = official.decode(levels) - by_rate(model, levels)[24_000]
    assert 0 < error.abs().max() < 1e-2


def worse(model: SNAC) -> SNAC:
    """Return a model that decodes audibly otherwise."""
    changed = load_state(model)
    with torch.no_grad():
        next(changed.decoder.head.parameters()).add_(0.5)
    return changed


def load_state(model: SNAC) -> SNAC:
    copy = type(model)(**model.config.to_dict()).eval()
    copy.load_state_dict(model.state_dict())
    return copy


def test_weights_written_wrongly_are_seen_and_nothing_is_left(
    artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = export_folder.save_officially
    monkeypatch.setattr(
        export_folder, "save_officially", lambda model, folder: right(worse(model), folder)
    )
    refused(artifacts, tmp_path, "decodes up to")


@pytest.mark.parametrize("part", ["decoder", "encoder"])
def test_a_graph_that_differs_from_torch_is_seen_and_nothing_is_left(
    artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    right = onnx_files.write_graph

    def wrong(graph: torch.nn.Module, *arguments: Any) -> None:
        biases = [v for n, v in graph.named_parameters() if re.search(rf"\b{part}\b.*bias", n)][:1]
        before = [bias.detach().clone() for bias in biases]
        for bias in biases:
            bias.data.add_(0.1)
        right(graph, *arguments)
        for bias, value in zip(biases, before, strict=True):
            bias.data.copy_(value)

    monkeypatch.setattr(onnx_files, "write_graph", wrong)
    refused(artifacts, tmp_path, f"{part}.*Nothing was exported")


def refused(artifacts: Path, tmp_path: Path, message: str) -> None:
    result = run(EXPORT, 12, "--artifacts", artifacts, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert re.search(message, result.stderr)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_replaced_only_when_asked_and_if_it_is_an_export(
    artifacts: Path, tmp_path: Path
) -> None:
    arguments = (EXPORT, 10, "--artifacts", artifacts, "--no-onnx", "-o")
    succeed(*arguments, tmp_path / "out")
    before = snapshot(tmp_path)
    again = run(*arguments, tmp_path / "out")
    assert (again.exit_code, "--overwrite" in again.stderr) == (2, True)
    assert snapshot(tmp_path) == before
    (tmp_path / "out/old.txt").write_text("of the old one")
    succeed(*arguments, tmp_path / "out", "--overwrite")
    assert snapshot(tmp_path).keys() == before.keys()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("all of it")
    mine = run(*arguments, tmp_path / "mine", "--overwrite")
    assert (mine.exit_code, "holds no export" in mine.stderr) == (2, True)
    assert (tmp_path / "mine/thesis.txt").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "there is no run nothing"),
        (["10", "--best", "24k"], "only by combined"),
        (["10", "--push", "no slash"], "--push"),
        (["10", "--push", "name"], "USER/NAME"),
        (["10", "--dry-run"], "--push USER/NAME"),
    ],
)
def test_what_cannot_be_exported_is_said(
    artifacts: Path, arguments: list[str], message: str
) -> None:
    result = run(EXPORT, *arguments, "--artifacts", artifacts)
    assert result.exit_code in (1, 2)
    assert message in result.stderr


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("run.json", b"{}", "has no 'base'"),
        ("run.json", b"[]", "holds no JSON object"),
        ("run.json", b'{"base": 3}', "'base' is 3, not a text"),
        ("best/score.json", b'{"step": 3, "metrics": {}}', "has no 'epoch'"),
        ("best/score.json", b'{"epoch": 1, "step": 3}', "has no 'metrics'"),
        ("best/score.json", b"\xff", "is not text in UTF-8"),
        ("recipe.toml", b"", "has no 'model.freeze_encoder'"),
        ("recipe.toml", b"\xff\xfe", "is not text in UTF-8"),
        ("recipe.toml", b"model = ", "is no TOML"),
    ],
)
def test_a_damaged_file_of_a_run_is_named(
    artifacts: Path, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    copytree(artifacts / "runs/10", tmp_path / "run")
    (tmp_path / "run" / name).write_bytes(content)
    result = run(EXPORT, tmp_path / "run", "--no-onnx", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert f"{name} is damaged" in result.stderr
    assert said in result.stderr
    assert not (tmp_path / "out").exists()


def test_names_are_text_in_the_card(artifacts: Path, tmp_path: Path) -> None:
    place = tmp_path / "<img src=x onerror=alert(1)> [a](b)"
    copytree(artifacts / "runs/10", place)
    state = json.loads((place / "run.json").read_text())
    (place / "run.json").write_text(json.dumps(state | {"base": "a/b` <b>bold</b>"}))
    with (place / "recipe.toml").open("a") as recipe:
        recipe.write("# ```\n# <script>alert(1)</script>\n")
    succeed(EXPORT, place, "--no-onnx", "-o", tmp_path / "out")
    card = (tmp_path / "out/README.md").read_text()
    assert "\n# &lt;img src=x onerror=alert(1)&gt; \\[a\\](b)\n" in card
    assert "`` b` <b>bold</b> ``" in card
    assert "\n````toml\n" in card
    assert "<script>alert(1)</script>\n````\n" in card


def test_the_card_says_what_the_run_took_of_its_base_and_no_private_path(
    artifacts: Path, tmp_path: Path
) -> None:
    place = tmp_path / "run"
    copytree(artifacts / "runs/10", place)
    recipe = tomllib.loads((place / "recipe.toml").read_text())
    recipe["model"] |= {"weights": "random", "teacher": "/home/alice/clients/acme/voice"}
    recipe["data"]["where"] = "id IN (FROM '/home/alice/list.csv')"
    recipe["checkpoint"]["best"] = ["last"]
    (place / "recipe.toml").write_text(tomli_w.dumps(recipe))
    state = json.loads((place / "run.json").read_text())
    (place / "run.json").write_text(json.dumps(state | {"base": "them/codec"}))
    succeed(EXPORT, place, "--no-onnx", "-o", tmp_path / "out")
    card = ModelCard.load(tmp_path / "out/README.md")
    assert card.data.base_model is None
    assert "trained from random weights with the architecture of `them/codec`" in card.text
    assert "fine-tuned" not in card.text
    assert "the newest one" in card.text
    assert 'teacher = "acme/voice"' in card.text
    assert "alice" not in card.text.replace("alice/list.csv", "")


@pytest.mark.parametrize("phase", EXPORTED)
def test_the_card_is_the_runs_and_its_python_runs(
    artifacts: Path,
    exported: Callable[[int], Path],
    phase: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    card = ModelCard.load(exported(phase) / "README.md")
    assert card.data.license is None
    assert card.data.base_model is None, "a path is no model of the Hub"
    assert str(artifacts.parent) not in card.content
    assert "To be filled in" in card.text
    state = json.loads((artifacts / f"runs/{phase}/run.json").read_text())
    score = json.loads((artifacts / f"runs/{phase}/best/score.json").read_text())
    assert f"| train | 4 | {2.2 / 3600:.2f} |" in card.text
    assert state["hours"]["train"] == pytest.approx(2.2 / 3600, abs=1e-4)
    assert f"| loss | {state['baseline']['loss']:.4f} |" in card.text
    assert f"| {score['score']:.4f} |" in card.text
    monkeypatch.chdir(exported(phase))
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", card.text, re.DOTALL)
    assert len(blocks) == (3 if phase == 12 else 2)
    for block in blocks:
        exec(block.replace("USER/NAME", "."), names)
    assert names["audio"].shape[-1] >= (24_000 if phase == 10 else 48_000)


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub as takes a commit of small files."""

    committed: dict[str, Any]
    refuse = False

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        url = f"http://{self.headers['Host']}/me/voice"
        if self.refuse:
            self.answer(401, {"error": "Invalid username or password."})
        elif self.path == "/api/repos/create":
            self.committed["created"] = json.loads(body)
            self.answer(200, {"url": url})
        elif "/preupload/" in self.path:
            modes = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            self.answer(200, {"files": modes})
        elif "validate-yaml" in self.path:
            self.answer(200, {"errors": [], "warnings": []})
        else:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.committed[line["value"]["path"]] = line["value"]["content"]
            self.answer(200, {"commitUrl": f"{url}/commit/0", "commitOid": "0", "success": True})

    def do_GET(self) -> None:
        self.answer(404 if "README" in self.path else 200, {"sha": "0" * 40, "id": "me/voice"})

    def answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    """A small Hub on this machine, which the real client talks to."""
    handler = type("FreshHub", (Hub,), {"committed": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(
        "huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.server_port}"
    )
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    yield handler
    server.shutdown()
    server.server_close()


def test_push_creates_the_repository_and_uploads_every_file(
    artifacts: Path, tmp_path: Path, hub: type[Hub]
) -> None:
    arguments = [10, "--artifacts", artifacts, "--no-onnx", "-o", tmp_path / "out"]
    dry = run(EXPORT, *arguments, "--push", "me/voice", "--license", "mit", "--dry-run")
    assert dry.exit_code == 0
    assert hub.committed == {}
    files = {"README.md", "config.json", "pytorch_model.bin"}
    assert all(f"would upload {name}, " in dry.stderr for name in files)
    push = ["--overwrite", "--push", "me/voice", "--license", "mit", "--private"]
    summary = succeed(EXPORT, *arguments, *push)
    created = hub.committed.pop("created")
    assert "private" in (created.get("visibility"), "private" if created.get("private") else None)
    assert set(hub.committed) == files == set(summary["files"])
    assert ModelCard.load(tmp_path / "out/README.md").data.license == "mit"


@pytest.mark.parametrize("there", [True, False])
def test_a_hub_that_refuses_or_is_not_there_is_said_and_the_export_stays(
    artifacts: Path,
    tmp_path: Path,
    hub: type[Hub],
    monkeypatch: pytest.MonkeyPatch,
    there: bool,
) -> None:
    hub.refuse = True
    if not there:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    options = ["--artifacts", artifacts, "--no-onnx", "-o", tmp_path / "out"]
    result = run(EXPORT, 10, *options, "--push", "me/voice")
    assert result.exit_code == 1
    assert "cannot upload to me/voice" in result.stderr
    assert f"hf upload me/voice {tmp_path / 'out'}" in result.stderr
    assert (tmp_path / "out/pytorch_model.bin").is_file()


def test_onnx_without_its_packages_says_what_to_install(
    artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    result = run(EXPORT, 10, "--artifacts", artifacts, "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "pip install onnx onnxruntime; or give --no-onnx" in result.stderr
    assert onnxruntime.__version__


def test_an_export_is_uploaded_as_it_is_without_being_made_again(
    artifacts: Path, tmp_path: Path, hub: type[Hub]
) -> None:
    arguments = [12, "--artifacts", artifacts, "-o", tmp_path / "out"]
    succeed(EXPORT, *arguments, "--no-onnx", "--half")
    card = tmp_path / "out/README.md"
    card.write_text(card.read_text() + "\nMy own words.\n")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.bin")}
    pushed = run(EXPORT, *arguments, "--push", "me/voice", "--private")
    assert pushed.exit_code == 0, pushed.stderr
    assert "uploading the export that is in" in pushed.stderr
    assert {path: path.stat().st_mtime_ns for path in times} == times
    sent = base64.b64decode(hub.committed["README.md"]).decode()
    assert "My own words." in sent
    assert 'from_pretrained("me/voice")' in sent
    for more in (["--half"], ["--license", "mit"]):
        late = run(EXPORT, *arguments, "--push", "me/voice", *more)
        assert (late.exit_code, f"Leave out {more[0]}" in late.stderr) == (2, True)


def test_a_card_names_the_repository_that_it_goes_to_last(
    artifacts: Path, tmp_path: Path, hub: type[Hub]
) -> None:
    arguments = [12, "--artifacts", artifacts, "-o", tmp_path / "out"]
    succeed(EXPORT, *arguments, "--no-onnx")
    card = tmp_path / "out/README.md"
    before = card.read_text()
    succeed(EXPORT, *arguments, "--push", "me/typo", "--dry-run")
    assert card.read_text() == before
    for name in ("me/first", "me/second"):
        succeed(EXPORT, *arguments, "--push", name)
        assert base64.b64decode(hub.committed["README.md"]).decode() == before.replace(
            "USER/NAME", name
        )


def test_an_export_of_another_model_is_not_uploaded(
    artifacts: Path, tmp_path: Path, hub: type[Hub]
) -> None:
    out = ["--artifacts", artifacts, "-o", tmp_path / "out"]
    succeed(EXPORT, 10, *out, "--no-onnx")
    pushed = run(EXPORT, 12, *out, "--push", "me/voice")
    assert (pushed.exit_code, "holds another model" in pushed.stderr) == (1, True)
    assert hub.committed == {}
