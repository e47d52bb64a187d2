"""The report opened as a person opens it: in a browser, wide and narrow, with no network."""

import json
from pathlib import Path
from typing import Any

import pytest
from browser import screen
from evaluation import Workplace
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from workplace import last_line, run

from snac_model import DualHeadSNAC, save

LOAD_ALL = """
const done = arguments[0];
const images = [...document.images].map(async (image) => {
  const copy = new Image();
  copy.src = image.src;
  await copy.decode();
  return copy.naturalWidth;
});
const players = [...document.querySelectorAll("audio[id]")];
const sounds = players.map(async (audio) => {
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
    ready = "return [...document.querySelectorAll('audio[id]')].every((a) => a.readyState > 0)"
    WebDriverWait(browser, 30).until(lambda chrome: chrome.execute_script(ready))


def open_afresh(browser: webdriver.Chrome, page: Path) -> None:
    """Open a file as a browser does that has never seen it."""
    browser.get(page.as_uri())
    browser.execute_script("localStorage.clear()")
    open_page(browser, page)


def test_images_and_audio_decode(browser: webdriver.Chrome, report: Path) -> None:
    open_page(browser, report)
    widths, durations = browser.execute_async_script(LOAD_ALL)
    assert len(widths) == len(durations) == 2 * 5
    assert min(widths) > 0
    for announced, decoded in durations:
        assert announced > 0.4
        assert decoded == pytest.approx(announced, abs=0.05)


def test_samples_beside_the_page_are_seen_and_heard(
    browser: webdriver.Chrome, workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snac_eval.report.listening.EMBEDDED", 1)
    model = workplace.save_model("beside files", lambda model: None)
    open_page(browser, workplace.evaluate(model, "--samples", "2") / "report.html")
    linked = browser.execute_script(
        "for (const sample of document.querySelectorAll('details')) sample.open = true;"
        "return [...document.images].filter((image) => !image.src.startsWith('data:')).map("
        "  (image) => [image.getAttribute('src'), image.loading = 'eager',"
        "    image.complete || image.decode(), image.naturalWidth])"
    )
    assert len(linked) == 5
    assert all(source.startswith("plots/002_") for source, *_ in linked)
    players = browser.find_elements(By.CSS_SELECTOR, "audio[src^='audio/002_']")
    assert len(players) == 5
    script = "return [...document.images].every((image) => image.naturalWidth > 0)"
    WebDriverWait(browser, 30).until(lambda chrome: chrome.execute_script(script))


def click(browser: webdriver.Chrome, selector: str) -> None:
    browser.find_element(By.CSS_SELECTOR, f"#blind-test {selector}").click()


def vote(browser: webdriver.Chrome, choice: str) -> None:
    """Listen to both sides and vote, which is not possible before."""
    button = browser.find_element(By.CSS_SELECTOR, f"#blind-test [data-vote={choice}]")
    click(browser, "[data-play=a]")
    assert not button.is_enabled()
    click(browser, "[data-play=b]")
    assert button.is_enabled()
    button.click()


def names_in(browser: webdriver.Chrome, part: str) -> str:
    element = browser.find_element(By.CSS_SELECTOR, f"#blind-test [data-part={part}]")
    return element.get_attribute("textContent") or ""


@pytest.mark.parametrize("width", [pytest.param(400, marks=pytest.mark.campaign), 1280])
def test_a_blind_test_from_the_first_sound_to_the_tally(
    browser: webdriver.Chrome, report: Path, tmp_path: Path, width: int
) -> None:
    """The listener always prefers the trained model, whichever side it is on, but once."""
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen(width))
    settings = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", settings)
    open_afresh(browser, report)
    trials = json.loads(names_in_script(browser))
    listener = browser.find_element(By.CSS_SELECTOR, "#blind-test [data-part=listener]")
    listener.send_keys("Anna")
    click(browser, "[data-part=start]")
    sides = []
    for number in range(len(trials)):
        assert names_in(browser, "count") == f"{number + 1} of {len(trials)}"
        assert "<b>bold" not in names_in(browser, "trial")
        sides.append(side_of_the_model(browser, trials))
        vote(browser, "none" if number == 0 else sides[-1])
    assert f"<b>bold: preferred {len(trials) - 1} times" in names_in(browser, "result")
    click(browser, "[data-part=save]")
    WebDriverWait(browser, 30).until(lambda _: list(tmp_path.glob("votes-Anna-*.json")))
    (saved,) = tmp_path.glob("votes-Anna-*.json")
    (tally,) = last_line(run("snac_eval.cli.evaluate", "--votes", saved))["votes"]
    said = json.loads(saved.read_text())
    assert said["listener"] == "Anna"
    assert len(said["report"]) == 16
    assert saved.stem.endswith(said["date"][:10])
    expected = {"model": "<b>bold", "against": "base resampled", "rate": 48000}
    expected |= {"preferred": len(trials) - 1, "other": 0, "ties": 1, "share": 1.0}
    assert {name: tally[name] for name in expected} == expected


def names_in_script(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.ID, "trials").get_attribute("textContent") or ""


def side_of_the_model(browser: webdriver.Chrome, trials: list[dict[str, Any]]) -> str:
    """Look up whose sound each player has, which a listener cannot."""
    own = {source(browser, f"#{trial['sounds'][0]}") for trial in trials}
    others = {source(browser, f"#{trial['sounds'][1]}") for trial in trials}
    shown = {side: source(browser, f"[data-part={side}]") for side in "ab"}
    assert {shown["a"] in own, shown["b"] in own} == {True, False}
    assert {shown["a"] in others, shown["b"] in others} == {True, False}
    return "a" if shown["a"] in own else "b"


def source(browser: webdriver.Chrome, selector: str) -> str:
    return browser.find_element(By.CSS_SELECTOR, selector).get_attribute("src") or ""


def test_sides_and_order_are_shuffled(browser: webdriver.Chrome, report: Path) -> None:
    seen = set()
    for _ in range(12):
        open_afresh(browser, report)
        trials = json.loads(names_in_script(browser))
        click(browser, "[data-part=start]")
        seen.add((source(browser, "[data-part=reference]"), side_of_the_model(browser, trials)))
        if len(seen) > 2:
            return
    raise AssertionError(f"always the same: {seen}")


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
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen(width))
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


def test_a_blind_test_goes_on_after_a_reload_and_goes_back(
    browser: webdriver.Chrome, report: Path
) -> None:
    open_afresh(browser, report)
    trials = json.loads(names_in_script(browser))
    click(browser, "[data-part=start]")
    sounds = source(browser, "[data-part=a]"), source(browser, "[data-part=b]")
    vote(browser, "a")
    open_page(browser, report)
    click(browser, "[data-part=start]")
    assert names_in(browser, "count") == f"2 of {len(trials)}"
    click(browser, "[data-part=back]")
    assert names_in(browser, "count") == f"1 of {len(trials)}"
    assert sounds == (source(browser, "[data-part=a]"), source(browser, "[data-part=b]"))


def test_the_blind_test_has_keys(browser: webdriver.Chrome, report: Path) -> None:
    open_afresh(browser, report)
    click(browser, "[data-part=start]")
    page = browser.find_element(By.TAG_NAME, "body")
    page.send_keys("3")
    assert names_in(browser, "count").startswith("1 of"), "nothing was heard yet"
    page.send_keys("ab3")
    assert names_in(browser, "count").startswith("2 of")
    page.send_keys("\ue003")  # Backspace
    assert names_in(browser, "count").startswith("1 of")


PLAYING = """
return [...document.querySelectorAll("audio")].map((audio, number) => audio.paused ? -1 : number)
  .filter((number) => number >= 0)
"""


def test_one_sound_plays_at_a_time_and_the_next_goes_on_where_it_was(
    browser: webdriver.Chrome, report: Path
) -> None:
    open_page(browser, report)
    browser.find_element(By.CSS_SELECTOR, ".picture").click()  # in its middle
    browser.find_element(By.TAG_NAME, "body").send_keys("2")
    share = "const [, audio] = document.querySelectorAll('audio[id]');" + (
        "return audio.currentTime / audio.duration"
    )
    WebDriverWait(browser, 10).until(lambda chrome: chrome.execute_script(share) >= 0.45)
    assert browser.execute_script(PLAYING) in ([1], [])


def test_the_page_begins_with_sound_then_says_what_was_found(
    browser: webdriver.Chrome, report: Path
) -> None:
    open_page(browser, report)
    sections = browser.find_elements(By.TAG_NAME, "section")
    ids = [section.get_attribute("id") for section in sections]
    expected = ["listen", "verdict", "blind-test", "figures", "spread", "extremes", "training"]
    assert ids == [*expected, "method", "glossary"]
    linked = [
        (link.get_attribute("href") or "").rpartition("#")[2]
        for link in browser.find_elements(By.CSS_SELECTOR, "nav a")
    ]
    assert linked == ids
    found = browser.find_element(By.ID, "verdict").text
    assert "too few to say: 4 measured, 8 are needed" in found.lower()
    assert "realism at 48 khz" in found.lower()


def test_every_figure_links_to_its_definition_and_every_picture_has_a_text(
    browser: webdriver.Chrome, report: Path
) -> None:
    open_page(browser, report)
    dead = browser.execute_script(
        "return [...document.querySelectorAll('a[href^=\"#\"]')].map((link) => link.hash.slice(1))"
        "  .filter((id) => !document.getElementById(id))"
    )
    assert dead == []
    links = browser.find_elements(By.CSS_SELECTOR, ".measures th a[href^='#def-']")
    assert len(links) == len(browser.find_elements(By.CSS_SELECTOR, ".measures tbody tr"))
    texts = browser.execute_script("return [...document.images].map((image) => image.alt)")
    assert all(text.startswith("Spectrogram of the ") for text in texts)
    assert report.stat().st_size < 1_500_000


def test_best_and_worst_lead_to_their_sound(browser: webdriver.Chrome, report: Path) -> None:
    open_page(browser, report)
    last = browser.find_elements(By.CSS_SELECTOR, "#extremes a[href='#sample-2']")[0]
    assert not browser.find_element(By.ID, "sample-2").get_attribute("open")
    browser.execute_script("arguments[0].click()", last)
    WebDriverWait(browser, 5).until(
        lambda chrome: chrome.find_element(By.ID, "sample-2").get_attribute("open")
    )
