"""The page of an export, opened in a browser: what it computes, and what it says."""

import base64
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tomli_w
import torch
from browser import chromium, onnxruntime_web, screen, served
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select
from selenium.webdriver.support.wait import WebDriverWait
from training import SMALL_CODEC
from workplace import run, succeed, write_tone

from snac_model import SNAC, DualHeadSNAC, SeededNoise, load, save
from snac_model.codec.weights import weights_sha256

EXPORT = "snac_model.cli.export"
NAME = "<b>first"
BASE, LOW, HIGH = (
    f"onnx/{name}.onnx" for name in ("base_decoder_24000", "decoder_24000", "decoder_48000")
)
BOUND = 1e-4  # of the audio, full scale 1

READ = """
const { results, codes } = globalThis.tryPage;
const sounds = [...results].map(([file, { rate, samples }]) => {
  const bytes = new Uint8Array(new Float32Array(samples).buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 4096) {
    text += String.fromCharCode(...bytes.subarray(i, i + 4096));
  }
  return [file, rate, btoa(text)];
});
return { codes, sounds };
"""


@dataclass(frozen=True)
class Place:
    """A run that never trained: its base and its model, and the export of it."""

    base: SNAC
    model: DualHeadSNAC
    run: Path
    export: Path


def write_run(folder: Path, base: SNAC, where: Path) -> DualHeadSNAC:
    """Write what snac-export reads of a run whose decoder differs from its base's."""
    save(base, where)
    model = DualHeadSNAC.from_base(base)
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in [*model.decoder.parameters(), *model.head_48k.parameters()]:
            weight.add_(0.01 * torch.randn_like(weight))
    save(model, folder / "best")
    state = {
        "base": str(where),
        "base_sha256": weights_sha256([base]),
        "counts": {"train": 4, "val": 1},
        "plan": {"epochs": 1, "steps": 3},
    }
    recipe = {"model": {"freeze_encoder": True, "freeze_vq": True}}
    score = {"epoch": 1, "step": 3, "metrics": {"loss": 1.0}}
    (folder / "run.json").write_text(json.dumps(state))
    (folder / "recipe.toml").write_text(tomli_w.dumps(recipe))
    (folder / "best/score.json").write_text(json.dumps(score))
    return model.eval()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    root = tmp_path_factory.mktemp("try")
    base, folder = SMALL_CODEC(), root / NAME
    model = write_run(folder, base, root / "base")
    succeed(EXPORT, folder, "-o", root / "out")
    return Place(base, model, folder, root / "out")


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    with chromium() as chrome:
        yield chrome


@pytest.fixture(scope="module")
def address(place: Place) -> Iterator[str]:
    """Where the page is served, with onnxruntime-web beside it."""
    shutil.copytree(onnxruntime_web(), place.export / "ort")
    with served(place.export) as server:
        yield f"{server}/try.html"


def give(browser: webdriver.Chrome, address: str, file: Path) -> dict[str, Any]:
    """Open the page and choose a file; return what came of it once all is done."""
    browser.get(address)
    browser.find_element(By.ID, "file").send_keys(str(file))
    return finished(browser)


def finished(browser: webdriver.Chrome) -> dict[str, Any]:
    """Wait for the page; return its codes, and float32 samples and rate by file."""
    state = "return tryPage.state"
    WebDriverWait(browser, 120).until(lambda chrome: chrome.execute_script(state) != "working")
    assert browser.execute_script(state) == "done", error_in(browser)
    found = browser.execute_script(READ)
    sounds = {
        file: (rate, np.frombuffer(base64.b64decode(text), "<f4"))
        for file, rate, text in found["sounds"]
    }
    return {"codes": found["codes"], "sounds": sounds}


def error_in(browser: webdriver.Chrome) -> str:
    return str(browser.find_element(By.ID, "error").get_attribute("textContent"))


def levels_of(row: dict[str, Any]) -> list[torch.Tensor]:
    return [torch.tensor(row[f"codes_{level}"])[None] for level in range(3)]


def check_sounds(place: Place, row: dict[str, Any], sounds: dict[str, Any]) -> None:
    """Hold what the browser decoded against what torch decodes of the same codes."""
    with torch.inference_mode():
        wanted = place.model.decode_by_rate(levels_of(row), SeededNoise(1))
        before = place.base.decode(levels_of(row), SeededNoise(1))
    expected = {BASE: (24_000, before), LOW: (24_000, wanted[24_000])}
    expected |= {HIGH: (48_000, wanted[48_000])}
    for file, (rate, audio) in expected.items():
        got_rate, got = sounds[file]
        length = -(-row["num_frames"] * rate // row["source_sample_rate"])
        assert (got_rate, len(got)) == (rate, length)
        assert np.abs(got - audio[0, 0, :length].numpy()).max() < BOUND
    assert np.abs(sounds[BASE][1] - sounds[LOW][1]).max() > 10 * BOUND, "they can be told apart"


def test_audio_becomes_torchs_codes_and_torchs_sounds(
    browser: webdriver.Chrome, address: str, place: Place, tmp_path: Path
) -> None:
    """The file is as long as several pieces, of the encoder's as of the decoders'."""
    generator = torch.Generator().manual_seed(0)
    audio = 0.1 * torch.randn(1, 1, 24_000 * 5 + 17, generator=generator)
    soundfile.write(tmp_path / "voice.wav", audio[0, 0].numpy(), 24_000, subtype="FLOAT")
    made = give(browser, address, tmp_path / "voice.wav")
    row = made["codes"]
    assert (row["utterance_id"], row["num_samples"]) == ("voice", 24_000 * 5 + 17)
    with torch.inference_mode():
        expected = place.model.encode(audio)
    pairs = zip(levels_of(row), expected, strict=True)
    equal = [(got == wanted).float().mean() for got, wanted in pairs]
    assert min(equal) > 0.99
    assert list(made["sounds"]) == ["original", BASE, LOW, HIGH]
    check_sounds(place, row, made["sounds"])


@pytest.mark.campaign
def test_codes_of_snac_encode_are_decoded_and_each_utterance_can_be_chosen(
    browser: webdriver.Chrome, address: str, place: Place, tmp_path: Path
) -> None:
    for number, rate in enumerate((48_000, 16_000)):
        write_tone(tmp_path / f"in/{number}.wav", 0.3 + 0.1 * number, rate)
    codes = tmp_path / "codes.jsonl"
    model = ["--model", place.run / "best", "--device", "cpu"]
    succeed("snac_cache.cli.encode", tmp_path / "in", "-o", codes, *model)
    rows = list(map(json.loads, codes.read_text().splitlines()))
    first = give(browser, address, codes)
    check_sounds(place, rows[0], first["sounds"])
    Select(browser.find_element(By.ID, "utterance")).select_by_visible_text("1")
    second = finished(browser)
    assert second["codes"] == rows[1]
    check_sounds(place, rows[1], second["sounds"])


@pytest.mark.campaign
def test_switching_keeps_the_position_and_sounds_can_be_saved(
    browser: webdriver.Chrome, address: str, place: Place, tmp_path: Path
) -> None:
    settings = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", settings)
    write_tone(tmp_path / "tone.wav", 3.0)
    made = give(browser, address, tmp_path / "tone.wav")
    browser.find_element(By.ID, "play").click()
    clock = "return Number(document.getElementById('position').value)"
    WebDriverWait(browser, 20).until(lambda chrome: chrome.execute_script(clock) > 0.2)
    before = browser.execute_script(clock)
    choices = browser.find_elements(By.CSS_SELECTOR, "#sounds input")
    choices[3].click()
    assert before <= browser.execute_script(clock) < 3.0
    assert browser.find_element(By.ID, "play").text == "Pause"
    browser.find_elements(By.LINK_TEXT, "Save wav")[2].click()
    saved = tmp_path / f"tone {NAME.replace('<', '_').replace('>', '_')}, 48 kHz.wav"
    WebDriverWait(browser, 20).until(lambda _: saved.is_file())
    audio, rate = soundfile.read(saved, dtype="float32")
    assert rate == 48_000
    assert np.abs(audio - made["sounds"][HIGH][1]).max() < 1 / 32_000


REFUSED = {
    "long.wav": (None, "That is 61 s of audio, and this page takes up to 60 s"),
    "noise.wav": (b"RIFF and no more", "cannot read noise.wav as audio"),
    "empty.wav": (b"", "empty.wav is empty"),
    "torn.jsonl": (b'{"codes_0": [1', "torn.jsonl, line 1 is no JSON object"),
    "short.jsonl": (b'{"codes_0": [1], "codes_1": [1], "codes_2": [1]}', "codes_1 is not there"),
    "large.jsonl": (
        b'{"codes_0": [256], "codes_1": [1, 2], "codes_2": [1, 2, 3, 4]}',
        "codes_0 is not all in 0 to 255",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_said(
    browser: webdriver.Chrome, address: str, tmp_path: Path, name: str
) -> None:
    content, message = REFUSED[name]
    if content is None:
        write_tone(tmp_path / name, 61.0, 8_000)
    else:
        (tmp_path / name).write_bytes(content)
    browser.get(address)
    browser.find_element(By.ID, "file").send_keys(str(tmp_path / name))
    WebDriverWait(browser, 20).until(error_in)
    assert message in error_in(browser)


@pytest.mark.campaign
def test_nothing_is_asked_of_others(
    browser: webdriver.Chrome, address: str, tmp_path: Path
) -> None:
    write_tone(tmp_path / "tone.wav", 0.3)
    for log in ("performance", "browser"):
        browser.get_log(log)
    give(browser, address, tmp_path / "tone.wav")
    entries = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {
        entry["params"]["request"]["url"].split("/try.html")[0]
        for entry in entries
        if entry["method"] == "Network.requestWillBeSent"
    }
    own = address.removesuffix("/try.html")
    assert all(url.startswith((own, f"blob:{own}", "data:")) for url in asked), asked
    assert browser.get_log("browser") == []


def test_without_the_library_the_page_says_what_is_missing(
    browser: webdriver.Chrome, place: Place, tmp_path: Path
) -> None:
    """Changed bytes are as good as none."""
    (tmp_path / "out/ort").mkdir(parents=True)
    shutil.copy(place.export / "try.html", tmp_path / "out")
    (tmp_path / "out/ort/ort.wasm.bundle.min.mjs").write_text("globalThis.changed = true")
    write_tone(tmp_path / "tone.wav", 0.3)
    with served(tmp_path / "out") as server:
        browser.get(f"{server}/try.html")
        browser.find_element(By.ID, "file").send_keys(str(tmp_path / "tone.wav"))
        WebDriverWait(browser, 60).until(error_in)
        assert "of onnxruntime-web 1.30.0 could not be loaded" in error_in(browser)


def test_opened_as_a_file_it_says_how_to_serve_it(browser: webdriver.Chrome, place: Place) -> None:
    browser.get((place.export / "try.html").as_uri())
    assert "python3 -m http.server" in error_in(browser)
    assert browser.find_element(By.TAG_NAME, "h1").text == f"Try {NAME}", "names are text"


def test_it_fits_a_phone_and_a_desk_in_both_themes(
    browser: webdriver.Chrome, address: str, tmp_path: Path
) -> None:
    write_tone(tmp_path / "tone.wav", 0.3)
    give(browser, address, tmp_path / "tone.wav")
    for width, scheme in product((420, 1400), ("light", "dark")):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen(width))
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        page, ink = browser.execute_script(
            "const style = getComputedStyle(document.body);"
            "return [style.backgroundColor, style.color].map("
            "  (colour) => colour.match(/[0-9]+/g).map(Number).reduce((a, b) => a + b) / 765)"
        )
        bright = scheme == "light"
        assert (page > 0.9 and ink < 0.2) if bright else (page < 0.2 and ink > 0.8)


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base": "nowhere"}, "it cannot be loaded"),
        pytest.param({"base_sha256": "0" * 64}, "holds other weights", marks=pytest.mark.campaign),
    ],
)
def test_a_base_that_is_not_to_be_had_is_left_out_and_said(
    place: Place, tmp_path: Path, change: dict[str, str], message: str
) -> None:
    shutil.copytree(place.run, tmp_path / "run")
    state = json.loads((place.run / "run.json").read_text())
    (tmp_path / "run/run.json").write_text(json.dumps(state | change))
    result = run(EXPORT, tmp_path / "run", "-o", tmp_path / "out")
    assert result.exit_code == 0
    assert "the page has no base to compare with" in result.stderr
    assert message in result.stderr
    assert BASE not in (tmp_path / "out/try.html").read_text()
    assert not (tmp_path / "out" / BASE).exists()


def test_each_decoder_is_compared_with_its_own_audio(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small error in one graph is seen in that one's figure alone."""
    from snac_model.export import onnx_files

    right = onnx_files.write_graph

    def wrong(graph: Any, inputs: Any, outputs: Any, path: Path) -> None:
        bias = graph.model.head_48k.final[-2].bias if path.name == "decoder_48000.onnx" else None
        if bias is not None:
            bias.data.add_(2e-5)
        right(graph, inputs, outputs, path)
        if bias is not None:
            bias.data.sub_(2e-5)

    monkeypatch.setattr(onnx_files, "write_graph", wrong)
    summary = succeed(EXPORT, place.run, "-o", tmp_path / "out")
    errors = summary["onnx_largest_error"]
    assert 1e-5 < errors["decoder_48000.onnx"] < 1e-4
    assert max(errors["decoder_24000.onnx"], errors["base_decoder_24000.onnx"]) < 5e-6
    assert load(tmp_path / "out").geometry.output_rates == (24_000,)
