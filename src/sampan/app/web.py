"""The one port: which part answers which path.

`/` is a plain page; component routes (`/apis/v2beta1`, …) come next; `/api`, `/apis/<group>` and the rest are
Kubernetes'. What nobody serves is answered with the Kubernetes API's own 404.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from sampan.app.page import Facts, render
from sampan.app.settings import ServerSettings
from sampan.web.guards import Access, Guards, GuardSettings

_PAGE_HEADERS = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}


def build_app(
    kubernetes: ASGIApp, routes: Sequence[BaseRoute], facts: Facts, server: ServerSettings, access: Access
) -> ASGIApp:
    """Guards outside, so that no route can be reached around them."""

    async def page(_request: Request) -> HTMLResponse:
        return HTMLResponse(await render(facts), headers=_PAGE_HEADERS)

    app = Starlette(routes=[Route("/", page), *routes, Mount("/", app=kubernetes)])
    # A trailing slash is another resource to Kubernetes: a redirect would hide a client's mistake.
    app.router.redirect_slashes = False
    guards = GuardSettings.bound_to(server.host, server.allowed_hosts)
    return Guards(app, guards, access)
