"""The report opened as a person opens it: in a browser, wide and narrow, with no network."""

import json
from pathlib import Path

import pytest
from evaluation import Workplace
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from snac_model import DualHeadSNAC, save

LOAD_ALL = """
const done = arguments[0];
const images = [...document.querySelectorAll("svg image")].map(async (image) => {
  const copy = new Image();
  copy.src = image.href.baseVal;
  await copy.decode();
  return copy.naturalWidth;
});
const sounds = [...document.querySelectorAll("audio")].map(async (audio) => {
  const bytes = Uint8Array.from(atob(audio.src.split(",")[1]), (c) => c.charCodeAt(0));
  const decoded = await new AudioContext().decodeAudioData(bytes.buffer);
  return [audio.duration, decoded.duration];
});
Promise.all([Promise.all(images), Promise.all(sounds)]).then(done);
"""


@pytest.fixture(scope="module")
def report(workplace: Workplace) -> Path:
    """The report of a run with a log."""
    run = workplace.root / "runs" / "<b>bold"
    save(DualHeadSNAC.from_base(workplace.load_base()), run / "best")
    lines = [
        {"kind": kind, "step": step, "stage": stage, "24k/loss": 2 / step, "48k/loss": 3 / step}
        for step, stage in ((1, "warmup"), (2, "warmup"), (3, "main"))
        for kind in ("train", "val")
    ]
    log = "".join(json.dumps(line) + "\n" for line in lines)
    (run / "metrics.jsonl").write_text(log, encoding="utf-8")
    return workplace.evaluate(str(run), "--samples", "2") / "report.html"


def open_page(browser: webdriver.Chrome, page: Path) -> None:
    """Open a file and wait until every player knows its duration."""
    browser.get(page.as_uri())
    ready = "return [...document.querySelectorAll('audio')].every((a) => a.readyState > 0)"
    WebDriverWait(browser, 30).until(lambda chrome: chrome.execute_script(ready))


def test_images_and_audio_decode(browser: webdriver.Chrome, report: Path) -> None:
    open_page(browser, report)
    widths, durations = browser.execute_async_script(LOAD_ALL)
    assert len(widths) == len(durations) == 2 * 5
    assert min(widths) > 0
    for announced, decoded in durations:
        assert announced > 0.4
        assert decoded == pytest.approx(announced, abs=0.05)


def test_nothing_is_fetched_and_nothing_complains(browser: webdriver.Chrome, report: Path) -> None:
    browser.get_log("performance")
    browser.get_log("browser")
    open_page(browser, report)
    entries = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    fetched = {
        entry["params"]["request"]["url"].split(":")[0]
        for entry in entries
        if entry["method"] == "Network.requestWillBeSent"
    }
    assert fetched <= {"file", "data"}
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_sticks_out_of_the_page(
    browser: webdriver.Chrome, report: Path, width: int
) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    open_page(browser, report)
    script = "return [document.documentElement.scrollWidth, innerWidth]"
    widest, available = browser.execute_script(script)
    assert available == width
    assert widest <= available


def test_names_are_text_and_the_run_is_drawn(browser: webdriver.Chrome, report: Path) -> None:
    open_page(browser, report)
    assert browser.find_element(By.TAG_NAME, "h1").text == "<b>bold"
    assert "main after 2" in (
        browser.find_element(By.TAG_NAME, "body").get_attribute("textContent") or ""
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_themes(
    browser: webdriver.Chrome, report: Path, scheme: str
) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    open_page(browser, report)
    page, ink = browser.execute_script(
        "const style = getComputedStyle(document.body);"
        "return [style.backgroundColor, style.color].map("
        "  (colour) => colour.match(/[0-9]+/g).map(Number).reduce((a, b) => a + b) / 765)"
    )
    assert (page > 0.9 and ink < 0.2) if scheme == "light" else (page < 0.2 and ink > 0.8)
