"""The one port: which part answers which path.

`/ui` is the dashboard, which `/` leads to; component routes (`/apis/v2beta1`, …) come next; `/api`, `/apis/<group>` and
the rest are Kubernetes'. What nobody serves is answered with the Kubernetes API's own 404.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sampan.app.settings import ServerSettings
from sampan.dashboard.mounting import Dashboard
from sampan.web.guards import Access, Guards, GuardSettings, User

_DASHBOARD = "/ui"
_UPSTREAMS = ("/pipeline", "/_/pipeline", "/katib", "/_/katib")
_DOORS = ("/", _DASHBOARD, *_UPSTREAMS, *(f"{path}/" for path in _UPSTREAMS))
"""What leads to the dashboard: upstream's pages of pipelines and of Katib are at these, and its clients print links to
them."""


def build_app(
    kubernetes: ASGIApp,
    routes: Sequence[BaseRoute],
    dashboard: Dashboard,
    server: ServerSettings,
    access: Access,
    for_pages: ASGIApp | None = None,
) -> ASGIApp:
    """Guards outside, so that no route can be reached around them. For `access` see `with_proven_paths`.

    The dashboard's pages call what is behind the guards, as the user whom these have admitted; `for_pages` is there in
    place of `kubernetes`.
    """
    behind = for_pages or kubernetes

    async def home(_request: Request) -> RedirectResponse:
        # What follows a `#` comes along: the browser keeps it.
        return RedirectResponse(_DASHBOARD + "/")

    api = Starlette(routes=[*routes, Mount("/", app=behind)])
    api.router.redirect_slashes = False
    dashboard.start(_Front(behind, api, routes))
    pages = [*(Route(door, home) for door in _DOORS), Mount(_DASHBOARD, app=dashboard)]
    app = Starlette(routes=[*pages, *routes, Mount("/", app=kubernetes)])
    # A trailing slash is another resource to Kubernetes: a redirect would hide a client's mistake.
    app.router.redirect_slashes = False
    guards = GuardSettings.bound_to(server.host, server.allowed_hosts)
    guarded = Guards(_Front(kubernetes, app, routes), guards, access)
    return _ContentHost(server.content_host, dashboard.content, guarded)


def with_proven_paths(access: Access, patterns: Sequence[str]) -> Access:
    """`access`, but for paths whose endpoints ask for a proof of their own: nobody is asked there who they are."""
    return (
        _ProvenPaths(access, re.compile("|".join(f"(?:{each})" for each in patterns))) if patterns else access
    )


class _ProvenPaths:
    def __init__(self, access: Access, paths: re.Pattern[str]) -> None:
        self._access = access
        self._paths = paths

    def admit(self, scope: Scope) -> User:
        if scope["type"] == "http" and scope["method"] == "POST" and self._is_proven(scope):
            return User("system:anonymous", ("system:unauthenticated",))
        return self._access.admit(scope)

    def _is_proven(self, scope: Scope) -> bool:
        # As it was sent and as it was read: a path that two readers could take for two things is none of these.
        raw = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
        return raw == scope["path"] and self._paths.fullmatch(raw) is not None


class _ContentHost:
    """One name of this server is for untrusted content, and leads to nothing else: no path of it passes to `ours`."""

    def __init__(self, host: str, content: ASGIApp, ours: ASGIApp) -> None:
        self._host = host.lower().partition(":")[0]
        self._content = content
        self._ours = ours

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_content = scope["type"] in ("http", "websocket") and self._is_named(scope)
        await (self._content if is_content else self._ours)(scope, receive, send)

    def _is_named(self, scope: Scope) -> bool:
        # With two Host headers it is none: the guards refuse that.
        hosts = [value for key, value in scope["headers"] if key == b"host"]
        if len(hosts) != 1 or not self._host:
            return False
        return bytes(hosts[0]).decode("latin-1").strip().lower().partition(":")[0].rstrip(".") == self._host


class _Front:
    """Takes Kubernetes' own paths past the framework, whose routing costs as much as a read of an object.

    Of components are all paths below a first part such as `/apis/v2beta1` that one of `routes` has, and, within a group
    of the Kubernetes API, what a route matches with its method.
    """

    def __init__(self, kubernetes: ASGIApp, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._kubernetes = kubernetes
        self._app = app
        self._others: set[str] = set()
        self._within: dict[str, list[BaseRoute]] = {}
        for route in routes:
            path = str(getattr(route, "path", ""))
            root = path[6:].partition("/")[0] if path.startswith("/apis/") else ""
            # Groups of the Kubernetes API that are not its own have a dot.
            if "." in root:
                self._within.setdefault(root, []).append(route)
            elif root:
                self._others.add(root)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._kubernetes if self._is_kubernetes(scope) else self._app)(scope, receive, send)

    def _is_kubernetes(self, scope: Scope) -> bool:
        if scope["type"] != "http":
            return False
        path: str = scope["path"]
        if path.startswith("/api/v1/"):
            return True
        if not path.startswith("/apis/"):
            return False
        root = path[6:].partition("/")[0]
        if root in self._others:
            return False
        return not any(route.matches(scope)[0] is Match.FULL for route in self._within.get(root, ()))
