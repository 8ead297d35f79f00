"""Triggers and notifications on a real server, by the command line, curl's way and after a kill."""

from __future__ import annotations

import json
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from sampan.cli import pipelines
from sampan.components.pipelines.api.signatures import sign
from sampan.testing.pipelines import Component, pipeline, shell, task
from sampan.testing.server import ServerProcess

CRASHING = Path(__file__).with_name("crashing_server.py")
_ENDED = ("SUCCEEDED", "FAILED", "CANCELED")


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[Any]]]:
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", got
    server.shutdown()
    server.server_close()
    thread.join()


def runs(server: ServerProcess) -> list[dict[str, Any]]:
    return list(server.call("GET", "/apis/v2beta1/runs?page_size=200&sort_by=created_at").get("runs", []))


def until_ended(server: ServerProcess, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 60
    while True:
        found = runs(server)
        if len([run for run in found if run["state"] in _ENDED]) >= count:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def post(url: str, body: bytes, **headers: str) -> dict[str, Any]:
    sent = {key.replace("_", "-"): value for key, value in headers.items()}
    with urllib.request.urlopen(urllib.request.Request(url, body, sent), timeout=60) as answer:
        return dict(json.loads(answer.read()))


def put(inbox: Path, name: str) -> None:
    """A file that is whole as soon as it is there: one that is seen at its beginning, too, is there twice."""
    beside = inbox.with_name(name)
    beside.write_text(name)
    beside.rename(inbox / name)


def package(folder: Path, script: str) -> str:
    file = folder / "report.json"
    document = pipeline("report", {"say": task("say")}, Component("say", shell(script)))
    file.write_text(json.dumps(document), encoding="utf-8")
    return str(file)


def test_a_push_a_file_and_the_end_of_a_run_start_runs_and_are_told(
    tmp_path: Path, receiver: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMPAN_PIPELINES_ALLOW_PRIVATE_URLS", "true")
    app = typer.Typer()
    pipelines.add(app)
    home, inbox = tmp_path / "home", tmp_path / "in"
    inbox.mkdir()
    url, got = receiver

    def sampan(*words: str, code: int = 0) -> str:
        ended = CliRunner().invoke(app, [*words, "--home", str(home)])
        assert ended.exit_code == code, (words, ended.output, ended.exception)
        return ended.output

    report = package(tmp_path, "echo hello; exit 1")
    assert "no server is running" in sampan("triggers", code=1)
    with ServerProcess(home) as server:
        assert "No triggers yet" in sampan("triggers")
        assert "Nobody is told yet" in sampan("notify")
        made = sampan("triggers", "create", report, "--webhook", "--event", "push", "--name", "on [push]")
        hook, secret = (made.split(word)[1].split()[0] for word in ("URL", "Secret"))
        sampan(
            "triggers",
            "create",
            report,
            "--file",
            str(inbox),
            "--glob",
            "*.csv",
            "--settle",
            "0s",
            "--name",
            "in",
        )
        after = ("--after-run", "on *", "--state", "failed", "--name", "then")
        assert "when a run on * has failed" in sampan("triggers", "create", report, *after)
        assert "give one of --webhook" in sampan("triggers", "create", report, code=1)
        sampan("notify", "create", "chat", "--slack", url)
        assert "taken by http://127.0.0.1:" in sampan("notify", "test", "chat")

        body = b'{"ref": "refs/heads/main"}'
        headers = {
            "X_GitHub_Event": "push",
            "X_GitHub_Delivery": "1",
            "X_Hub_Signature_256": sign(secret, body),
        }
        first = post(hook, body, **headers)
        assert post(hook, body, **headers)["run_id"] == first["run_id"]
        # A secret that the gate of users takes for a wrong token of theirs.
        other = {"Authorization": f"Bearer {secret}", "Idempotency_Key": "1", "X_GitHub_Event": "push"}
        assert post(hook, body, **other)["run_id"] == first["run_id"]
        put(inbox, "a.csv")
        found = until_ended(server, 3)
        assert sorted(run["display_name"].rpartition(" ")[0] for run in found) == ["in", "on [push]", "then"]
        deadline = time.monotonic() + 60
        while len(got) < 4 and time.monotonic() < deadline:
            time.sleep(0.1)
        texts = [message["attachments"][0].get("text", "") for message in got[1:]]
        assert len(texts) == 3
        assert all(text.startswith("The step say failed") and "hello" in text for text in texts), texts
        shown = sampan("triggers", "show", "on [push]")
        assert f"run {first['run_id'][:8]}" in shown
        assert "sent" in sampan("notify", "show", "chat")
        assert "paused" in sampan("triggers", "pause", "then")
        assert "active" in sampan("triggers", "resume", "then")
        assert "deleted" in sampan("triggers", "delete", "then")
        assert "paused" in sampan("notify", "pause", "chat")
        assert "deleted" in sampan("notify", "delete", "chat")
        log = (home / "logs" / "server.log").read_text(encoding="utf-8")
        assert secret not in log
        assert "/hook" not in log


@pytest.mark.parametrize(
    ("at", "when"),
    [
        (3, "after"),
        *(pytest.param(at, "after", marks=pytest.mark.slow) for at in (1, 2, 5, 8, 12)),
        *(pytest.param(at, "before", marks=pytest.mark.slow) for at in (1, 2, 3, 5, 8, 12)),
    ],
)
def test_events_and_their_runs_survive_a_kill(tmp_path: Path, at: int, when: str) -> None:
    """Two files, and a run after each: four runs, whatever write the server died at."""
    home, inbox = tmp_path / "home", tmp_path / "in"
    inbox.mkdir()
    command = (sys.executable, str(CRASHING), str(at), when, "up")
    server = ServerProcess(home, command=command).start()
    spec = json.loads(Path(package(tmp_path, "echo hello")).read_text(encoding="utf-8"))
    for name, source in (
        ("file", {"file": {"folder": str(inbox), "settle_seconds": 0}}),
        ("then", {"run": {"name": "file *"}}),
    ):
        server.call("POST", "/apis/v2beta1/triggers", {"display_name": name, "pipeline_spec": spec, **source})
    (home / "armed").touch()
    for name in ("a", "b"):
        put(inbox, name)
    assert server.process is not None
    server.process.wait(60)
    server.kill()
    (home / "armed").unlink()
    with ServerProcess(home) as again:
        until_ended(again, 4)
        time.sleep(1)
        names = sorted(run["display_name"].partition(" ")[0] for run in runs(again))
        assert names == ["file", "file", "then", "then"]
