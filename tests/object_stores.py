"""An S3 server on this machine that tests start, with faults like those of a network."""

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from snac_common.object_store import list_objects, read

BUCKET = "corpus"
SLOW_S = 0.3
# "busy": answered by 503; "slow"; "lost": no answer; "torn": half of one; else a code of S3's
# with which it refuses
Fault = str


class Store:
    """A server, what it was asked, and what goes wrong next.

    Attributes:
        faults: of the next requests, in order; None for none.
        requests: method and path of each request.
        environment: with which commands find the server.
    """

    def __init__(self) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        self.faults: deque[Fault | None] = deque()
        self.requests: list[tuple[str, str]] = []
        self._app = DomainDispatcherApplication(create_backend_app)
        self.server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server.server_port}",
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        fault = self.faults.popleft() if self.faults else None
        if fault == "busy":
            start("503 Service Unavailable", [("Content-Type", "application/xml")])
            return [b"<Error><Code>SlowDown</Code><Message>slow down</Message></Error>"]
        if fault == "lost":
            _cut(environ)
        if fault == "slow":
            time.sleep(SLOW_S)
        if fault in (None, "slow", "torn"):
            answer = list(self._app(environ, start))
            return _torn(answer, environ) if fault == "torn" else answer
        start("403 Forbidden", [("Content-Type", "application/xml")])
        return [f"<Error><Code>{fault}</Code><Message>{fault}</Message></Error>".encode()]


def _cut(environ: dict[str, Any]) -> None:
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError


def _torn(answer: list[bytes], environ: dict[str, Any]) -> Iterator[bytes]:
    whole = b"".join(answer)
    yield whole[: len(whole) // 2]
    _cut(environ)


@contextmanager
def running_store() -> Iterator[Store]:
    """Start a server with a bucket, and have this process and its commands find it."""
    import logging

    import fsspec

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    store = Store()
    store.thread.start()
    with patch.dict(os.environ, store.environment):
        fsspec.filesystem("s3").makedirs(BUCKET, exist_ok=True)  # moto has one for all servers
        store.requests.clear()
        yield store
        fsspec.filesystem("s3").clear_instance_cache()
    store.server.shutdown()


def contents(address: str) -> dict[str, bytes]:
    """Return all objects below an address."""
    return {name: read(f"{address}/{name}") for name in list_objects(address)}


def files_in(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder that a store would have: those without a dot in front."""
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    names = {path.relative_to(folder): path for path in paths}
    return {
        str(name): path.read_bytes()
        for name, path in names.items()
        if not any(part.startswith(".") for part in name.parts)
    }
