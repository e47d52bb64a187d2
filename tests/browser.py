"""A browser to open pages with, and what a page that runs models needs besides."""

import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from os import environ
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver

from snac_model.export.try_page import RUNTIME


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """Yield Chromium without a window, which keeps what it logs; skip where there is none."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("no chromium with chromedriver on this machine")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


def screen(width: int) -> dict[str, Any]:
    """Return the size of a phone or a desk's screen."""
    return {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}


def onnxruntime_web() -> Path:
    """Return a folder with the two files of onnxruntime-web that the page needs.

    Fetched once by npm, and kept in the user's cache. The test is skipped where that cannot be.
    """
    kept = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "snac-toolkit"
    folder = kept / f"onnxruntime-web-{RUNTIME.version}"
    if not all((folder / file).is_file() for file in RUNTIME.files):
        _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    """Take the files out of the package that npm has."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm on this machine to get onnxruntime-web with")
    folder.mkdir(parents=True, exist_ok=True)
    package = f"onnxruntime-web@{RUNTIME.version}"
    command = [npm, "pack", package, "--fetch-retries=1", f"--pack-destination={folder}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot get {package}: {done.stderr.strip()[-200:]}")
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as content:
        for file in RUNTIME.files:
            member = content.extractfile(f"package/dist/{file}")
            assert member is not None
            (folder / file).write_bytes(member.read())
    archive.unlink()


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing about it."""

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Yield the address at which the files of a folder are served."""
    handler = partial(Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
