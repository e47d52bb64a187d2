"""As much of the W&B service as its client asks for to read one run."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

ENTITY, PROJECT, RUN = "someone", "project", "abc123"


def fields(name: str, config: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the service says of a run; ``history`` is asked for page by page."""
    return {
        "id": "x", "projectId": "1", "name": RUN, "displayName": name, "state": "finished",
        "config": json.dumps({key: {"value": value} for key, value in config.items()}),
        "tags": [], "sweepName": None, "group": None, "jobType": None, "commit": None,
        "readOnly": True, "createdAt": "2026-01-01T00:00:00", "heartbeatAt": "2026-01-01T00:00:00",
        "description": "", "notes": None, "systemMetrics": "{}", "summaryMetrics": "{}",
        "historyLineCount": len(rows), "user": {"name": ENTITY, "username": ENTITY},
        "historyKeys": {"lastStep": len(rows) - 1, "keys": {}},
    }  # fmt: skip


@contextmanager
def serve(name: str, config: dict[str, Any], rows: list[dict[str, Any]]) -> Iterator[str]:
    """Serve one run with these rows of history; yields the address."""
    known = fields(name, config, rows)

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = json.loads(body) if self.path == "/graphql" else {}
            content = json.dumps({"data": answer(asked.get("variables") or {})}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    def answer(variables: dict[str, Any]) -> dict[str, Any]:
        viewer = {"id": "1", "entity": ENTITY, "username": ENTITY, "flags": "{}"}
        run = None
        if RUN in variables.values():
            first, end = variables.get("minStep", 0), variables.get("maxStep", 0)
            page = rows[first : min(end, first + variables.get("pageSize", 0))]
            run = {**known, "history": [json.dumps(row) for row in page]}
        return {
            "viewer": {**viewer, "teams": {"edges": []}},
            "project": {"internalId": "1", "run": run},
        }

    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
