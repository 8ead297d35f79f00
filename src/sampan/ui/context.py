"""What a page is built with: its place, the API as its user, and what it may ask of the window around it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from sampan.ui.api import JSON, Api
from sampan.ui.content import Content
from sampan.web.guards import User

Crumb = tuple[str, str]
"""A title, and the path it leads to; no path for what is no page."""

Handler = Callable[[Any], Awaitable[None] | None]
"""Takes an answer of the API, decoded."""

Stop = Callable[[], None]
"""Ends what it was returned for; harmless when that is over."""


class PageContext(Protocol):
    """Of one page in one tab, until the user goes elsewhere. Everything is called in the event loop."""

    api: Api
    namespace: str
    """The one that the tab's switch shows."""
    user: User
    path: str
    """Without the dashboard's root and without the query: `/runs/1f3a…`."""
    params: Mapping[str, str]
    """From the page's path, decoded."""
    query: Mapping[str, str]

    def href(self, path: str, **query: str) -> str:
        """The address of a page, for a link: with the dashboard's root and the namespace. Empty values are left out."""
        ...

    def go(self, path: str, **query: str) -> None:
        """To another page."""
        ...

    def content_address(self, content: Content) -> str:
        """Where what users made is shown, for some minutes: `//HOST/PATH`, without a port. See `ui.sandbox`."""
        ...

    def set_query(self, **query: str) -> None:
        """The address changes, and with it what a reload or a copied link shows; the page stays. Empty ones go."""
        ...

    def set_title(self, title: str, crumbs: Sequence[Crumb] | None = None) -> None:
        """Of the window and the breadcrumb. `crumbs` lead here, in place of the declared parents."""
        ...

    async def live(
        self, path: str, handler: Handler, *, query: Mapping[str, str] | None = None, accept: str = JSON
    ) -> Stop:
        """Hands `handler` what a GET of `path` answers: at once (awaited), and again within a second of each change.

        Tabs that look at the same share one request. Ends with the page, or when what it returns is called. Raises
        ApiFailureError at the first request; a later failure is shown above the page, which stays, and is tried again.
        """
        ...

    def every(self, seconds: float, handler: Callable[[], Awaitable[None] | None]) -> None:
        """Calls `handler` again and again while the page is shown and the tab connected."""
        ...

    def spawn(self, work: Awaitable[None], name: str) -> None:
        """Works beside the page, and is cancelled when the user leaves it. What it raises is shown."""
        ...

    def on_leave(self, handler: Callable[[], None]) -> None:
        """Called once when the user leaves the page or the tab is gone."""
        ...

    async def attempt(self, action: Awaitable[Any], done: str = "") -> bool:
        """Awaits what changes something. True, and `done` is said; or the API's error is shown, with what to do."""
        ...

    def notify(self, text: str, tone: str = "ok") -> None:
        """Says something for some seconds. `tone` is `ok`, `bad`, `warn` or `info`."""
        ...

    def preference(self, key: str, default: Any = None) -> Any:
        """What the user has kept under `key`: any JSON."""
        ...

    async def keep_preference(self, key: str, value: Any) -> None:
        """For the user, in all tabs and sessions. None removes it."""
        ...
