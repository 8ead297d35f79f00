"""A cluster's API for pages: what goes on to it, what comes back, and when something has changed there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from sampan.app.changes import Changes, watch_of
from sampan.app.forwarding import ForwardedCluster
from sampan.app.settings import ServerSettings
from sampan.app.web import build_app
from sampan.client.sending import Answer, Request
from sampan.kube.errors import ConflictError, ExpiredError
from sampan.lib.clock import SystemClock
from sampan.ui.api import Api, ApiFailureError
from sampan.web.guards import User

USER = User("sampan", ("system:masters",))
LIST = b'{"kind":"PodList","metadata":{"resourceVersion":"41"},"items":[]}'


class FakeClock(SystemClock):
    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self) -> float:
        return self.at


class FakeCluster:
    """Answers with what it is given, and keeps what it was asked."""

    def __init__(self, content: bytes = LIST, status: int = 200) -> None:
        self.content, self.status = content, status
        self.asked: list[Request] = []
        self.pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self.open = 0

    async def answer(self, request: Request) -> Answer:
        self.asked.append(request)
        if self.status >= 400:
            raise ConflictError("taken")
        return Answer(self.status, "application/json", self.content)

    async def raw_stream(self, request: Request) -> AsyncGenerator[bytes, None]:
        self.asked.append(request)
        if self.status >= 400:
            raise ExpiredError("too old")
        self.open += 1
        try:
            while piece := await self.pieces.get():
                yield piece
        finally:
            self.open -= 1


def _api(cluster: FakeCluster) -> tuple[Api, Changes]:
    changes = Changes(cluster, FakeClock())
    return Api(ForwardedCluster(cluster, changes), USER), changes


def test_a_request_goes_on_with_its_query_body_and_two_headers() -> None:
    async def main() -> None:
        cluster = FakeCluster(b'{"kind":"Pod"}', 201)
        api, changes = _api(cluster)
        reply = await api.request(
            "PATCH",
            "/api/v1/namespaces/a/pods/b%20c",
            query={"force": "true", "empty": ""},
            json={"x": 1},
            content_type="application/apply-patch+yaml",
            accept="application/json;as=Table",
        )
        assert (reply.status, reply.body) == (201, b'{"kind":"Pod"}')
        assert cluster.asked == [
            Request(
                "PATCH",
                "/api/v1/namespaces/a/pods/b%20c",
                {"force": "true", "empty": ""},
                b'{"x":1}',
                "application/apply-patch+yaml",
                "application/json;as=Table",
            )
        ]
        # What was written shows at once.
        assert changes.count == 1

    asyncio.run(main())


def test_a_refusal_comes_back_as_it_is() -> None:
    async def main() -> None:
        api, _ = _api(FakeCluster(status=409))
        with pytest.raises(ApiFailureError) as raised:
            await api.put("/api/v1/namespaces/a/pods/b", {})
        assert (raised.value.status, raised.value.message, raised.value.reason) == (409, "taken", "Conflict")

    asyncio.run(main())


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/apiserver",
        "/api/v1/../../metrics",
        "/api/v1/%2e%2E/x",
        "/api/v1/.",
        "/",
        "//api/v1/pods",
    ],
)
def test_nothing_but_the_kubernetes_api_is_reached(path: str) -> None:
    async def main() -> None:
        cluster = FakeCluster()
        api, _ = _api(cluster)
        with pytest.raises(ApiFailureError):
            await api.get(path)
        assert cluster.asked == []

    asyncio.run(main())


def test_a_log_that_is_followed_comes_as_it_is_written_and_ends_with_its_reader() -> None:
    async def main() -> None:
        cluster = FakeCluster()
        api, _ = _api(cluster)
        cluster.pieces.put_nowait(b"one\n")
        lines = api.stream("/api/v1/namespaces/a/pods/b/log", {"follow": "true"})
        assert await anext(lines) == b"one\n"
        cluster.pieces.put_nowait(b"two\n")
        assert await anext(lines) == b"two\n"
        await lines.aclose()  # type: ignore[attr-defined]
        while cluster.open:
            await asyncio.sleep(0)

    asyncio.run(main())


def test_what_pages_look_at_is_watched_once_and_changes_count() -> None:
    async def main() -> None:
        cluster = FakeCluster()
        api, changes = _api(cluster)
        for _ in range(2):
            await api.get("/api/v1/pods", {"labelSelector": "a=b", "limit": "5"})
        await asyncio.sleep(0)
        watches = [each for each in cluster.asked if each.params.get("watch")]
        assert [each.path for each in watches] == ["/api/v1/pods"]
        assert watches[0].params["resourceVersion"] == "41"
        assert watches[0].params["labelSelector"] == "a=b"
        before = changes.count
        cluster.pieces.put_nowait(b"{}")
        while changes.count == before:
            await asyncio.sleep(0)
        await changes.close()
        assert cluster.open == 0

    asyncio.run(main())


def test_a_watch_that_no_page_wants_any_more_ends() -> None:
    async def main() -> None:
        cluster, clock = FakeCluster(), FakeClock()
        changes = Changes(cluster, clock)
        changes.looked_at(Request("GET", "/api/v1/pods"), LIST)
        await asyncio.sleep(0)
        assert cluster.open == 1
        clock.at += 31
        changes.looked_at(Request("GET", "/api/v1/nodes"), LIST)
        while cluster.open != 1 or len(cluster.asked) != 2:
            await asyncio.sleep(0)
        assert [each.path for each in cluster.asked] == ["/api/v1/pods", "/api/v1/nodes"]
        await changes.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("path", "collection", "name"),
    [
        ("/api/v1/namespaces/a/pods/b", "/api/v1/namespaces/a/pods", "b"),
        ("/api/v1/namespaces/a", "/api/v1/namespaces", "a"),
        ("/apis/apps/v1/deployments", "/apis/apps/v1/deployments", ""),
        ("/api/v1/nodes/n", "/api/v1/nodes", "n"),
    ],
)
def test_what_tells_of_changes(path: str, collection: str, name: str) -> None:
    watch = watch_of(Request("GET", path), b"{}")
    assert watch is not None
    assert watch.path == collection
    assert watch.params.get("fieldSelector", "") == (f"metadata.name={name}" if name else "")


@pytest.mark.parametrize(
    "path",
    ["/version", "/apis", "/api/v1", "/api/v1/namespaces/a/pods/b/log", "/apis/metrics.k8s.io/v1beta1/nodes"],
)
def test_what_cannot_be_watched(path: str) -> None:
    assert watch_of(Request("GET", path), b"{}") is None


async def _named(name: bytes, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": name})


def test_no_port_leads_to_what_is_for_pages() -> None:
    async def elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
        await _named(b"elsewhere", send)

    async def for_pages(scope: Scope, receive: Receive, send: Send) -> None:
        await _named(b"cluster", send)

    class FakeDashboard:
        content = staticmethod(elsewhere)

        def start(self, behind: ASGIApp) -> None:
            self.behind = behind

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await _named(b"page", send)

    class Everybody:
        def admit(self, scope: Scope) -> User:
            return USER

    async def main() -> None:
        dashboard = FakeDashboard()
        port = build_app(elsewhere, (), dashboard, ServerSettings(), Everybody(), for_pages)  # type: ignore[arg-type]
        for path in (
            "/api/v1/pods",
            "/apis/apps/v1/deployments",
            "/apis",
            "/version",
            "/api/v1/../../api/v1/pods",
        ):
            assert (await Api(port, USER).request("GET", path)).body == b"elsewhere"
            assert (await Api(dashboard.behind, USER).request("GET", path)).body == b"cluster"
        assert (await Api(port, USER).request("GET", "/ui/cluster")).body == b"page"

    asyncio.run(main())
