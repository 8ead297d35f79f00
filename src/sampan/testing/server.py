"""A real `sampan up` in a process of its own, for tests from outside and for benchmarks."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

FINAL_STATES = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")


class HttpError(Exception):
    """An answer that is not 2xx. `body` is its JSON."""

    def __init__(self, code: int, body: Any) -> None:
        super().__init__(f"HTTP {code}: {body}")
        self.code = code
        self.body = body


@dataclass
class ServerProcess:
    """Start with `start` or as a context manager; `kill` and `start` again as often as needed."""

    home: Path
    command: Sequence[str] = (sys.executable, "-m", "sampan", "up")
    options: Sequence[str] = ("--port", "0")
    environ: dict[str, str] = field(default_factory=dict)
    url: str = ""
    ready_seconds: float = 0.0
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Returns when the server is ready. Raises RuntimeError with its words if it ends instead."""
        started = time.perf_counter()
        # A file: of a pipe that nobody reads a server that has much to say would wait for room.
        with tempfile.TemporaryFile() as errors:
            self.process = subprocess.Popen(
                [*self.command, "--home", str(self.home), *self.options],
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **self.environ},
            )
            assert self.process.stdout is not None
            for line in self.process.stdout:
                if b"is ready" in line:
                    break
            else:
                errors.seek(0)
                raise RuntimeError(errors.read().decode() or "the server ended without a word")
        self.ready_seconds = time.perf_counter() - started
        self.url = json.loads((self.home / "run" / "server.json").read_text())["url"]
        return self

    def stop(self) -> int:
        """As Ctrl-C does; the exit code."""
        return self._end(signal.SIGINT)

    def kill(self) -> int:
        """As a crash does."""
        return self._end(signal.SIGKILL)

    def wait(self, timeout: float = 60) -> int:
        assert self.process is not None
        code = self.process.wait(timeout)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        return code

    def _end(self, number: signal.Signals) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(number)
        return self.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """JSON in, JSON out. Raises HttpError, and OSError when nobody answers."""
        data = None if body is None else json.dumps(body).encode()
        return json.loads(self._answer(method, path, data) or b"{}")

    def text(self, path: str) -> str:
        """What a GET answers. Raises as `call`."""
        return self._answer("GET", path, None).decode()

    def _answer(self, method: str, path: str, data: bytes | None) -> bytes:
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self.url + path, method=method, data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            with error:
                code, text = error.code, error.read()
        except http.client.HTTPException as error:
            raise ConnectionError("the answer broke off") from error
        try:
            detail = json.loads(text)
        except ValueError:
            detail = text.decode(errors="replace")
        raise HttpError(code, detail)

    def submit(self, spec: dict[str, Any], name: str = "test", **parameters: Any) -> str:
        """The id of the new run."""
        body = {
            "display_name": name,
            "pipeline_spec": spec,
            "runtime_config": {"parameters": parameters},
        }
        run_id: str = self.call("POST", "/apis/v2beta1/runs", body)["run_id"]
        return run_id

    def wait_run(self, run_id: str, timeout: float = 600, poll_seconds: float = 0.05) -> dict[str, Any]:
        """The run once it has ended."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            run: dict[str, Any] = self.call("GET", f"/apis/v2beta1/runs/{run_id}")
            if run["state"] in FINAL_STATES:
                return run
            time.sleep(poll_seconds)
        raise TimeoutError(f"run {run_id} is still {run['state']} after {timeout} s")

    def tasks(self, run_id: str) -> list[dict[str, Any]]:
        """All tasks of a run, in the newest shape of the API."""
        found: list[dict[str, Any]] = []
        token = ""
        while True:
            page = self.call("GET", f"/apis/v2beta1/runs/{run_id}/tasks?page_size=200&page_token={token}")
            found += page.get("tasks", [])
            token = page.get("next_page_token", "")
            if not token:
                return found
