"""Notifications: through the REST API, sent to a real HTTP receiver and a real mail server, on a clock of their own."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import json
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sampan.components.pipelines.api.settings import MailSettings, PipelineSettings
from sampan.components.pipelines.api.signatures import sign
from sampan.components.pipelines.api.states import RuntimeState, TaskType
from sampan.components.pipelines.engine.notifications.channels import Channels
from sampan.components.pipelines.engine.notifications.composing import Composer
from sampan.components.pipelines.engine.notifications.sending import MOST_ATTEMPTS, Sender, pause_after
from sampan.components.pipelines.engine.notifications.service import Rules
from sampan.components.pipelines.rest import Api, Backend
from sampan.components.pipelines.store import notices, transitions
from sampan.components.pipelines.store.tasks import AttemptRow, TaskRow
from sampan.components.pipelines.store.transitions import RunState, Transition
from sampan.kube.kinds import NAMESPACES, SECRETS
from sampan.lib.clock import to_micros

CANARY = "canary-7f3a9c"


class Clock:
    """Moves when it is told to."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 1, tzinfo=UTC)
        self.passed = 0.0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.passed

    def move(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)
        self.passed += seconds


class Receiver:
    """Takes what is posted, and answers as it is told to."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.headers: dict[str, str] = {}
        self.hold = threading.Event()
        self.hold.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                receiver.hold.wait(30)
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.answer()

            def answer(self) -> None:
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                for key, value in receiver.headers.items():
                    self.send_header(key, value)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: Any) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/hook/{CANARY}"

    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, _, body in self.got]

    def close(self) -> None:
        self.hold.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


class Told:
    """The API and a sender on a clock of their own."""

    def __init__(
        self, api: Any, spec: Any, mail: MailSettings | None = None, *, allow_private: bool = True
    ) -> None:
        self.api, self.spec, self.mail = api, spec, mail or MailSettings()
        self.clock = Clock()
        self.allow_private = allow_private
        self.sender: Sender | None = None
        api.run(api.kubernetes.client.create(NAMESPACES, {"metadata": {"name": "default"}}))
        self.restart()

    def restart(self) -> None:
        """A new process on the same database."""
        self.close()
        api = self.api
        composer = Composer(api.database, api.kubernetes.client, api.home, "http://here:8080/")

        async def load() -> Channels:
            return Channels(api.kubernetes.client, self.mail, allow_private=self.allow_private)

        self.sender = Sender(api.database, self.clock, composer, load)
        backend: Backend = dataclasses.replace(
            api.app._backend,
            clock=self.clock,
            settings=PipelineSettings(allow_private_urls=self.allow_private),
            notification_rules=Rules(self.allow_private, self.mail),
            send_test=self.sender.send_test,
        )
        api.app = Api(backend)

    def close(self) -> None:
        if self.sender is not None:
            self.api.run(self.sender.close())

    def asked(self, **fields: Any) -> Any:
        return self.api.post("/v2/notifications", {"display_name": "tell me"} | fields)

    def made(self, **fields: Any) -> dict[str, Any]:
        answer = self.asked(**fields)
        assert answer.status == 200, answer.content
        return dict(answer.json)

    def get(self, notification: dict[str, Any]) -> dict[str, Any]:
        return dict(self.api.get(f"/v2/notifications/{notification['notification_id']}").json)

    def deliveries(self, notification: dict[str, Any]) -> list[dict[str, Any]]:
        path = f"/v2/notifications/{notification['notification_id']}/deliveries"
        return list(self.api.get(path, page_size=200, sort_by="created_at desc").json.get("deliveries", []))

    def send(self, seconds: float = 0) -> None:
        """What is due once that time has passed."""
        self.clock.move(seconds)

        async def once() -> None:
            assert self.sender is not None
            await self.sender.turn()
            await self.sender.finish()

        self.api.run(once())

    def started(self, **fields: Any) -> str:
        body = {"display_name": "train <all> @here", "pipeline_spec": self.spec()} | fields
        answer = self.api.post("/v2/runs", body)
        assert answer.status == 200, answer.content
        return str(answer.json["run_id"])

    def move(self, run_id: str, state: RuntimeState, error: str = "", **changes: Any) -> None:
        moment = to_micros(self.clock.now())
        transition = Transition(run_id, run=[RunState(state, moment, error)], **changes)
        self.api.write(lambda connection: transitions.apply(connection, transition))

    def failed(self, run_id: str, printed: str = "") -> None:
        """One step of the run has failed, and the run with it."""
        now = to_micros(self.clock.now())
        common = {"created_at": now, "finished_at": now}
        attempt = AttemptRow("pod", RuntimeState.FAILED, uid=f"uid-{run_id}", exit_code=1)
        message = f"exit code 1; the end of its log:\n{printed}"
        root = TaskRow(
            f"{run_id}-root", run_id, "", "root", "root", "root", TaskType.ROOT, RuntimeState.FAILED,
            error="a step failed", **common,
        )  # fmt: skip
        step = TaskRow(
            f"{run_id}-fit", run_id, root.task_id, "fit", "root/fit", "fit", TaskType.RUNTIME, RuntimeState.FAILED,
            error=message, attempts=[attempt], **common,
        )  # fmt: skip
        log = self.api.home / "logs" / "default" / f"uid-{run_id}" / "main.0.log"
        log.parent.mkdir(parents=True)
        lines = [f"2026-03-01T00:00:00.0Z stdout F {line}\n" for line in printed.splitlines()]
        log.write_text("".join(lines))
        self.move(run_id, RuntimeState.FAILED, f"step fit failed: {message}", inserted=[root, step])


@pytest.fixture
def told(api: Any, spec: Any) -> Iterator[Told]:
    found = Told(api, spec)
    yield found
    found.close()


# Made, read, listed


def test_a_notification_is_read_back_without_what_is_secret(told: Told) -> None:
    made = told.made(
        states=["FAILED", "PAUSED"],
        longer_than_seconds=60,
        log_lines=5,
        webhook={"url": f"https://hooks.example/{CANARY}?t={CANARY}", "secret": f"{CANARY}-secret"},
    )
    assert told.get(made) == made
    assert made["webhook"] == {"url": "https://hooks.example/…", "signed": True}
    assert (made["states"], made["longer_than_seconds"], made["log_lines"]) == (
        ["FAILED", "PAUSED"],
        "60",
        "5",
    )
    listed = told.api.get("/v2/notifications")
    assert listed.json["notifications"] == [made]
    assert CANARY not in listed.content.decode() + json.dumps(told.deliveries(made))
    path = f"/v2/notifications/{made['notification_id']}"
    told.api.post(f"{path}:disable")
    assert told.get(made)["status"] == "DISABLED"
    told.api.post(f"{path}:enable")
    predicate = {"operation": "EQUALS", "key": "channel", "string_value": "webhook"}
    assert (
        told.api.get("/v2/notifications", filter=json.dumps({"predicates": [predicate]})).json["total_size"]
        == 1
    )
    for key in ("secrets", "target"):
        predicate = {"operation": "IS_SUBSTRING", "key": key, "string_value": CANARY}
        assert told.api.get("/v2/notifications", filter=json.dumps({"predicates": [predicate]})).status == 400
        assert told.api.get("/v2/notifications", sort_by=key).status == 400
    assert told.api.delete(path).json == {}
    assert told.api.get(path).status == 404


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "give exactly one of webhook, slack, email"),
    ({"webhook": {}}, "notification.webhook: give either url or url_secret_ref"),
    ({"webhook": {"url": "https://x"}, "slack": {"url": "https://x"}}, "only one of webhook and slack"),
    ({"webhook": {"url": "https://x", "password": "y"}}, "unknown field"),
    (
        {"slack": {"url": "https://x", "url_secret_ref": {"name": "n", "key": "k"}}},
        "either url or url_secret_ref",
    ),
    ({"slack": {"url_secret_ref": {"name": "n"}}}, "url_secret_ref.key"),
    ({"webhook": {"url": "https://x"}, "states": ["BROKEN"]}, "notification.states"),
    ({"webhook": {"url": "https://x"}, "log_lines": 1000}, "notification.log_lines"),
    ({"webhook": {"url": "https://x"}, "longer_than_seconds": -1}, "notification.longer_than_seconds"),
    ({"webhook": {"url": "https://x"}, "run_id": "none"}, "notification.run_id"),
    ({"webhook": {"url": "https://x"}, "pipeline_id": "none"}, "notification.pipeline_id"),
    ({"email": {"to": ["me@example.com"]}}, "no mail server is set"),
    ({"email": {"to": []}}, "notification.email.to"),
    ({"email": {"to": ["me@example.com\nBcc: all@example.com"]}}, "is no mail address"),
    ({"email": {"to": ["a@b, c@d"]}}, "is no mail address"),
]
PRIVATE_HOSTS = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "[::1]", "[::]", "[::ffff:127.0.0.1]",
    "0.0.0.0", "10.0.0.1", "192.168.1.1", "169.254.169.254", "[fe80::1]", "[64:ff9b::7f00:1]", "[fd00::1]",
    "100.64.0.1", "224.0.0.1", "[2002:7f00:1::]",
]  # fmt: skip
NO_URLS = [
    "file:///etc/passwd", "gopher://example.com/", "ftp://example.com/", "//example.com/", "https://", "https://u:p@example.com/",
    "https://example.com:0/", "https://exa mple.com/", "https://example.com/\r\nHost: x", "javascript:alert(1)", "https://[::1",
]  # fmt: skip


def test_what_cannot_be_is_refused_with_the_field(told: Told) -> None:
    for fields, words in REFUSED:
        answer = told.asked(**fields)
        assert answer.status in (400, 404), fields
        assert words in answer.message, (fields, answer.message)
    for url in NO_URLS:
        for channel in ("webhook", "slack"):
            answer = told.asked(**{channel: {"url": url}})
            assert (answer.status, f"notification.{channel}.url" in answer.message) == (400, True), url


def test_nothing_is_sent_to_private_addresses(api: Any, spec: Any, receiver: Receiver) -> None:
    """However they are written, and whatever a Secret says: row 8."""
    told = Told(api, spec, allow_private=False)
    port = receiver.server.server_address[1]
    for host in PRIVATE_HOSTS:
        url = f"http://{host}:{port}/"
        answer = told.asked(webhook={"url": url})
        if answer.status == 200:  # a name, or a number that only the resolver takes for an address
            tried = told.api.post(f"/v2/notifications/{answer.json['notification_id']}:test")
            assert tried.status == 503, url
            assert "private or loopback" in tried.message or "nothing is sent to" in tried.message, (
                tried.message
            )
        else:
            assert "private or loopback" in answer.message, url
    secret = {"metadata": {"name": "s", "namespace": "default"}, "stringData": {"url": receiver.url}}
    api.run(api.kubernetes.client.create(SECRETS, secret))
    made = told.made(slack={"url_secret_ref": {"name": "s", "key": "url"}})
    run = told.started()
    told.move(run, RuntimeState.FAILED)
    told.send()
    [delivery] = told.deliveries(made)
    assert (delivery["state"], "private or loopback" in delivery["error"]) == ("FAILED", True)
    assert receiver.got == []
    told.close()


def test_a_machine_s_own_metadata_is_never_asked(told: Told) -> None:
    for url in (
        "http://169.254.169.254/",
        "http://[fe80::1]/",
        "http://0.0.0.0/",
        "http://[::ffff:a9fe:a9fe]/",
    ):
        assert told.asked(webhook={"url": url}).status == 400


def test_a_redirect_is_not_followed(told: Told, receiver: Receiver) -> None:
    receiver.answers, receiver.headers = [307], {"location": "http://169.254.169.254/"}
    made = told.made(webhook={"url": receiver.url})
    answer = told.api.post(f"/v2/notifications/{made['notification_id']}:test")
    assert (answer.status, "redirects are not followed" in answer.message) == (503, True)
    assert (len(receiver.got), CANARY in answer.message) == (1, False)


# Sent


def test_a_failed_run_is_told_with_its_step_and_the_end_of_its_log(told: Told, receiver: Receiver) -> None:
    secret = {"metadata": {"name": "db", "namespace": "default"}, "stringData": {"password": CANARY}}
    told.api.run(told.api.kubernetes.client.create(SECRETS, secret))
    made = told.made(log_lines=3, webhook={"url": receiver.url, "secret": "a long secret"})
    run = told.started(service_account="robot")
    told.clock.move(65)
    encoded = base64.b64encode(CANARY.encode()).decode()
    told.failed(run, f"early\nconnecting as {CANARY}\nor {encoded}\nValueError: no rows")
    told.send()
    [(path, headers, body)] = receiver.got
    assert path.startswith("/hook/")
    assert headers["x-hub-signature-256"] == sign("a long secret", body)
    assert headers["content-type"] == "application/cloudevents+json"
    event = json.loads(body)
    assert headers["idempotency-key"] == event["id"]
    assert event == {
        "specversion": "1.0",
        "id": event["id"],
        "source": "/apis/v2beta1/namespaces/default/runs",
        "type": "org.kubeflow.pipelines.run.failed",
        "subject": run,
        "time": "2026-03-01T00:01:05.000000Z",
        "datacontenttype": "application/json",
        "data": {
            "run_id": run,
            "display_name": "train <all> @here",
            "state": "FAILED",
            "namespace": "default",
            "duration_seconds": 65.0,
            "error": "step fit failed: exit code 1",
            "experiment_id": event["data"]["experiment_id"],
            "experiment_name": "Default",
            "service_account": "robot",
            "url": f"http://here:8080/ui/runs/{run}",
            "notification": "tell me",
            "failed_step": {
                "name": "fit",
                "message": "exit code 1",
                "log": "connecting as ***\nor ***\nValueError: no rows",
            },
        },
    }
    [delivery] = told.deliveries(made)
    assert (delivery["state"], delivery["about"], delivery["attempts"]) == ("SENT", "FAILED", 1)
    assert told.get(made)["sent"] == "1"
    told.send(1000)
    assert len(receiver.got) == 1


def test_what_cannot_be_masked_is_not_sent(
    told: Told, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: Any, **__: Any) -> None:
        from sampan.kube.errors import ForbiddenError

        raise ForbiddenError("no")

    monkeypatch.setattr(type(told.api.kubernetes.client), "list", refused)
    told.made(webhook={"url": receiver.url})
    run = told.started()
    told.failed(run, CANARY)
    told.send()
    assert CANARY not in receiver.got[0][2].decode()
    assert "could not be masked" in receiver.got[0][2].decode()


def test_only_what_is_asked_for_is_told(told: Told, receiver: Receiver) -> None:
    other = told.api.post("/v2/experiments", {"display_name": "other"}).json["experiment_id"]
    run, elsewhere = told.started(), told.started(experiment_id=other)
    told.made(
        display_name="all ends", states=["SUCCEEDED", "FAILED", "CANCELED"], webhook={"url": receiver.url}
    )
    told.made(
        display_name="of other", states=["SUCCEEDED"], experiment_id=other, webhook={"url": receiver.url}
    )
    told.made(display_name="of one run", states=["PAUSED"], run_id=run, webhook={"url": receiver.url})
    told.made(display_name="disabled", states=["SUCCEEDED"], disabled=True, webhook={"url": receiver.url})
    for each in (run, elsewhere):
        told.move(each, RuntimeState.RUNNING)
        told.move(each, RuntimeState.PAUSED)
        told.move(each, RuntimeState.SUCCEEDED)
    for _ in range(3):
        told.send()
    found = sorted(
        (body["data"]["notification"], body["subject"], body["data"]["state"]) for body in receiver.bodies()
    )
    assert found == sorted(
        [
            ("all ends", run, "SUCCEEDED"),
            ("all ends", elsewhere, "SUCCEEDED"),
            ("of other", elsewhere, "SUCCEEDED"),
            ("of one run", run, "PAUSED"),
        ]
    )


def test_slack_s_message_calls_nobody_and_holds_no_markup(told: Told, receiver: Receiver) -> None:
    told.made(slack={"url": receiver.url, "channel": "#ml"})
    run = told.started()
    told.failed(run, "<!channel> ``` & @all")
    told.send()
    [message] = receiver.bodies()
    assert message["text"] == "train &lt;all&gt; @\u200bhere failed"
    assert message["channel"] == "#ml"
    [attachment] = message["attachments"]
    assert attachment["title_link"].endswith(run)
    assert attachment["color"] == "#e01e5a"
    assert "&lt;!channel&gt; ''' &amp; @\u200ball" in attachment["text"]
    assert attachment["text"].startswith("The step fit failed: exit code 1\n```\n")


def test_runs_that_take_too_long_are_told_once(told: Told, receiver: Receiver) -> None:
    told.made(longer_than_seconds=60, webhook={"url": receiver.url})
    run, quick = told.started(), told.started()
    told.send(59)
    told.move(quick, RuntimeState.SUCCEEDED)
    assert receiver.got == []
    for _ in range(3):
        told.send(20)
    told.restart()
    told.send(20)
    assert [(body["subject"], body["data"]["state"]) for body in receiver.bodies()] == [(run, "LATE")]
    assert receiver.bodies()[0]["data"]["duration_seconds"] >= 60


# What goes wrong


def test_what_fails_is_tried_again_ever_more_seldom_and_given_up(told: Told, receiver: Receiver) -> None:
    receiver.answers = [500] * 100
    made = told.made(webhook={"url": receiver.url})
    told.move(told.started(), RuntimeState.FAILED)
    pauses = []
    for attempt in range(1, MOST_ATTEMPTS + 1):
        told.send()
        assert len(receiver.got) == attempt
        told.send()
        assert len(receiver.got) == attempt, "it was tried before its time"
        [delivery] = told.deliveries(made)
        if attempt < MOST_ATTEMPTS:
            moment = datetime.fromisoformat(delivery["next_attempt_at"])
            pauses.append((moment - told.clock.now()).total_seconds())
            told.restart()
            told.clock.move(pauses[-1])
    assert (delivery["state"], delivery["attempts"]) == ("FAILED", MOST_ATTEMPTS)
    assert delivery["error"].startswith(f"given up after {MOST_ATTEMPTS} tries: 127.0.0.1:")
    assert "answered 500: ok" in delivery["error"]
    assert CANARY not in json.dumps(told.deliveries(made)) + json.dumps(told.get(made))
    assert told.get(made)["error"] == delivery["error"]
    assert 7.5 <= pauses[0] <= 12.5
    assert 2000 < max(pauses) <= 4500
    assert all(pause_after(n, 0.5) <= pause_after(n + 1, 0.5) for n in range(40))
    # All of them had the same id: a receiver can tell.
    assert len({body["id"] for body in receiver.bodies()}) == 1
    told.move(told.started(), RuntimeState.FAILED)
    receiver.answers = []
    told.send()
    assert "error" not in told.get(made)


def test_a_receiver_may_say_when_to_come_back(told: Told, receiver: Receiver) -> None:
    receiver.answers, receiver.headers = [429], {"retry-after": "600"}
    told.made(webhook={"url": receiver.url})
    told.move(told.started(), RuntimeState.FAILED)
    told.send()
    told.send(599)
    assert len(receiver.got) == 1
    told.send(1)
    assert len(receiver.got) == 2


def test_a_crash_while_it_is_sent_sends_it_again(
    told: Told, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    class CrashError(BaseException):
        """Ends everything in the middle."""

    def crash(*_: Any) -> None:
        raise CrashError

    made = told.made(webhook={"url": receiver.url})
    told.move(told.started(), RuntimeState.FAILED)
    with monkeypatch.context() as patch:
        patch.setattr(notices, "settle", crash)
        told.send()
    assert (len(receiver.got), told.deliveries(made)[0]["state"]) == (1, "PENDING")
    told.restart()
    told.send()
    assert [each["state"] for each in told.deliveries(made)] == ["SENT"]
    assert len(receiver.got) == 2
    assert len({body["id"] for body in receiver.bodies()}) == 1


def test_a_receiver_that_hangs_delays_nobody_else(told: Told, receiver: Receiver) -> None:
    slow = Receiver()
    slow.hold.clear()
    told.made(display_name="slow", webhook={"url": slow.url})
    told.made(display_name="quick", webhook={"url": receiver.url})
    for _ in range(5):
        told.clock.move(1)
        told.move(told.started(), RuntimeState.FAILED)

    async def while_it_hangs() -> None:
        assert told.sender is not None
        for _ in range(3000):
            await told.sender.turn()
            if len(receiver.got) == 5:
                return
            await asyncio.sleep(0.02)

    told.api.run(while_it_hangs())
    assert (len(receiver.got), len(slow.got)) == (5, 1)
    told.close()
    slow.close()


def test_a_deleted_run_is_told_all_the_same(told: Told, receiver: Receiver) -> None:
    told.made(states=["SUCCEEDED"], webhook={"url": receiver.url})
    run = told.started()
    told.move(run, RuntimeState.SUCCEEDED)
    told.api.delete(f"/v2/runs/{run}")
    told.send()
    assert receiver.bodies()[0]["subject"] == run


def test_one_is_sent_now_to_try_it(told: Told, receiver: Receiver) -> None:
    made = told.made(slack={"url": receiver.url})
    path = f"/v2/notifications/{made['notification_id']}:test"
    assert told.api.post(path).json == {}
    assert "is a test: nothing has happened" in receiver.bodies()[0]["text"]
    receiver.answers = [404]
    refused = told.api.post(path)
    assert (refused.status, "answered 404" in refused.message) == (503, True)
    assert told.deliveries(made) == []


# Mail


class Mailbox:
    """A mail server on loopback, with STARTTLS and a login where a certificate is given."""

    def __init__(self, certificate: Path | None = None) -> None:
        from aiosmtpd.controller import Controller
        from aiosmtpd.smtp import AuthResult

        self.mails: list[Any] = []
        self.logins: list[tuple[bytes, bytes]] = []
        mailbox = self

        class Handler:
            async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
                mailbox.mails.append(envelope)
                return "250 OK"

        def login(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> Any:
            mailbox.logins.append((data.login, data.password))
            return AuthResult(success=data.password == CANARY.encode(), handled=False)

        options: dict[str, Any] = {}
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            options = {
                "tls_context": context, "require_starttls": True, "authenticator": login, "auth_required": True,
            }  # fmt: skip

        class OnAnyPort(Controller):
            def _trigger_server(self) -> None:
                self.port = self.server.sockets[0].getsockname()[1]
                super()._trigger_server()

        self.controller = OnAnyPort(Handler(), hostname="127.0.0.1", port=0, **options)
        self.controller.start()
        self.port = self.controller.port

    def close(self) -> None:
        self.controller.stop()


def test_a_mail_says_what_failed(api: Any, spec: Any) -> None:
    mailbox = Mailbox()
    mail = MailSettings("127.0.0.1", mailbox.port, "none", "Sampan <sampan@example.com>")
    told = Told(api, spec, mail)
    told.made(email={"to": ["me@example.com", "you@example.org"]})
    run = told.started(display_name="train\u2028now")
    told.clock.move(3700)
    told.failed(run, "ValueError: no rows ü")
    told.send()
    told.close()
    mailbox.close()
    [envelope] = mailbox.mails
    assert envelope.rcpt_tos == ["me@example.com", "you@example.org"]
    message = message_from_bytes(envelope.content)
    assert message["subject"] == "[Sampan] train now failed"
    assert message["from"] == "Sampan <sampan@example.com>"
    assert message["message-id"].endswith("@example.com>")
    text = message.get_payload(decode=True).decode()
    assert "train now failed after 1 h 1 min." in text
    assert "The step fit failed: exit code 1" in text
    assert "    ValueError: no rows ü" in text
    assert f"http://here:8080/ui/runs/{run}" in text


def certificate(folder: Path) -> Path:
    """A key and a certificate of 127.0.0.1 that signed itself, in one file."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "mail.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


def test_a_mail_server_is_logged_into_over_tls_with_a_password_of_a_secret(
    api: Any, spec: Any, tmp_path: Path
) -> None:
    file = certificate(tmp_path)
    mailbox = Mailbox(file)
    mail = MailSettings(
        "127.0.0.1",
        mailbox.port,
        username="robot",
        password_secret="default/mail/password",
        authority=str(file),
    )
    told = Told(api, spec, mail)
    made = told.made(email={"to": ["me@example.com"]})
    path = f"/v2/notifications/{made['notification_id']}:test"
    assert "the Secret default/mail does not exist" in told.api.post(path).message
    secret = {"metadata": {"name": "mail", "namespace": "default"}, "stringData": {"password": CANARY}}
    told.api.run(told.api.kubernetes.client.create(SECRETS, secret))
    answer = told.api.post(path)
    assert (answer.status, mailbox.logins) == (200, [(b"robot", CANARY.encode())]), answer.content
    assert len(mailbox.mails) == 1
    told.mail = dataclasses.replace(mail, authority="")
    told.restart()
    untrusted = told.api.post(path)
    assert (untrusted.status, "certificate" in untrusted.message) == (503, True)
    told.mail = dataclasses.replace(mail, password_secret="", password="wrong one")
    told.restart()
    wrong = told.api.post(path)
    assert (wrong.status, wrong.message.endswith("answered 535")) == (503, True)
    told.close()
    mailbox.close()
    mailbox_gone = told.deliveries(made)
    assert mailbox_gone == []


def test_a_password_is_never_sent_in_the_clear(api: Any, spec: Any) -> None:
    mail = MailSettings("mail.example.com", 25, "none", username="robot", password=CANARY)
    told = Told(api, spec, mail)
    made = told.made(email={"to": ["me@example.com"]})
    answer = told.api.post(f"/v2/notifications/{made['notification_id']}:test")
    assert "would be sent the password in the clear" in answer.message
    told.close()
