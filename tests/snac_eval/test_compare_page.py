"""The comparison's page, opened as a person opens it: in a browser, with no network."""

import json
from pathlib import Path

import pytest
from runs import scaled, write_run
from selenium import webdriver
from selenium.webdriver.common.by import By
from workplace import succeed

TEXT_LEAVES_ITS_DRAWING = """
return [...document.querySelectorAll("svg text")].filter((text) => {
  const outer = text.ownerSVGElement.getBoundingClientRect();
  const inner = text.getBoundingClientRect();
  return inner.left < outer.left - 1 || inner.right > outer.right + 1;
}).map((text) => text.textContent);
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs, one of which was validated on something else."""
    root = tmp_path_factory.mktemp("artifacts")
    write_run(root, "<b>first")
    write_run(root, "second-with-a-rather-long-name", scaled(0.9), optimizer__main_lr=1e-4)
    write_run(root, "third", scaled(1.1), validation__segment_s=1.0)
    names = ["<b>first", "second-with-a-rather-long-name", "third"]
    place = ["--artifacts", root, "--output", root / "comparison.html"]
    succeed("snac_eval.cli.compare", *names, *place)
    return root / "comparison.html"


def test_nothing_is_fetched_and_nothing_complains(browser: webdriver.Chrome, page: Path) -> None:
    browser.get_log("performance")
    browser.get_log("browser")
    browser.get(page.as_uri())
    entries = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    fetched = {
        entry["params"]["request"]["url"].split(":")[0]
        for entry in entries
        if entry["method"] == "Network.requestWillBeSent"
    }
    assert fetched <= {"file", "data"}
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_sticks_out(browser: webdriver.Chrome, page: Path, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page.as_uri())
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script(TEXT_LEAVES_ITS_DRAWING) == []


def test_scores_curves_recipes_and_warnings_are_there(
    browser: webdriver.Chrome, page: Path
) -> None:
    browser.get(page.as_uri())
    assert browser.find_element(By.TAG_NAME, "h1").text.startswith("<b>first")
    text = browser.find_element(By.TAG_NAME, "body").text
    assert "third was not validated on what <b>first was: validation.segment_s" in text
    assert "optimizer.main_lr" in text
    cells = (
        "//tbody[.//th[starts-with(normalize-space(), '48k/loss')]]//tr[contains(., 'second')]/td"
    )
    row = [cell.text for cell in browser.find_elements(By.XPATH, cells)]
    assert row == ["3.4000", "5.0000", "2.2500", "2", "2.4300", "55.0 % lower", "10.0 % lower"]
    captions = [caption.text for caption in browser.find_elements(By.TAG_NAME, "figcaption")]
    assert captions == ["loss", "24k/loss", "48k/loss"]
    assert len(browser.find_elements(By.TAG_NAME, "svg")) == 3
