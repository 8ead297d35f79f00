"""One page in one tab: implements `ui.context.PageContext`."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from sampan.dashboard.frame import Frame
from sampan.dashboard.preferences import PreferencesFullError
from sampan.dashboard.window import Window
from sampan.lib.log import get_logger
from sampan.ui import widgets
from sampan.ui.api import JSON, ApiFailureError
from sampan.ui.content import Content
from sampan.ui.context import Crumb, Handler, Stop
from sampan.ui.contract import Page
from sampan.ui.live import Subscription

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class At:
    """Where a page was asked for."""

    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]


class ShownPage:
    """Until `leave`."""

    def __init__(self, window: Window, frame: Frame, page: Page, at: At) -> None:
        self._window = window
        self._frame = frame
        self._page = page
        self.api = window.api
        self.user = window.api.user
        self.namespace = window.namespace
        self.path = at.path
        self.params = at.params
        self.query: Mapping[str, str] = at.query
        self._hub = window.shared.hub
        self._client = ui.context.client
        self._subscriptions: list[Subscription] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving: list[Callable[[], None]] = []
        self._is_left = False

    def href(self, path: str, **query: str) -> str:
        return self._window.href(path, **query)

    def go(self, path: str, **query: str) -> None:
        self._frame.push_address(self.href(path, **query))

    def content_address(self, content: Content) -> str:
        return self._window.shared.content.address(self.user, content, self._window.host)

    def set_query(self, **query: str) -> None:
        kept = {key: value for key, value in {**self.query, **query}.items() if value}
        self.query = kept
        self._window.at(f"{self.path}?{urlencode(kept)}" if kept else self.path)
        self._frame.replace_address(self.href(self.path, **kept))

    def set_title(self, title: str, crumbs: Sequence[Crumb] | None = None) -> None:
        parents = self._window.shared.routes.parents(self._page, self.params) if crumbs is None else crumbs
        self._frame.went_to(self.path, title, parents)

    async def live(
        self, path: str, handler: Handler, *, query: Mapping[str, str] | None = None, accept: str = JSON
    ) -> Stop:
        is_stopped = False

        async def take(value: Any) -> None:
            if not (self._is_left or is_stopped):
                with self._client.content:
                    await self._run(handler, value)

        def stop() -> None:
            nonlocal is_stopped
            is_stopped = True
            self._hub.unsubscribe(subscription)
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)

        subscription = await self._hub.subscribe(self.api, path, query, take, self._tell_failure, accept)
        if self._is_left:
            self._hub.unsubscribe(subscription)
        else:
            self._subscriptions.append(subscription)
        return stop

    def every(self, seconds: float, handler: Callable[[], Awaitable[None] | None]) -> None:
        async def repeat() -> None:
            while True:
                await asyncio.sleep(seconds)
                if self._client.has_socket_connection:
                    with self._client.content:
                        await self._run(handler)

        self.spawn(repeat(), "repeated")

    def spawn(self, work: Awaitable[None], name: str) -> None:
        async def done() -> None:
            with self._client.content:
                await self._run(lambda: work)

        task = asyncio.create_task(done(), name=f"dashboard {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def on_leave(self, handler: Callable[[], None]) -> None:
        self._leaving.append(handler)

    async def attempt(self, action: Awaitable[Any], done: str = "") -> bool:
        try:
            await action
        except ApiFailureError as error:
            self._hub.nudge()
            widgets.failure_dialog(error)
            return False
        self._hub.nudge()
        if done:
            self.notify(done)
        return True

    def notify(self, text: str, tone: str = "ok") -> None:
        self._frame.notify(text, tone)

    def preference(self, key: str, default: Any = None) -> Any:
        return self._window.shared.preferences.of(self.user.name).get(key, default)

    async def keep_preference(self, key: str, value: Any) -> None:
        try:
            await self._window.shared.preferences.keep(self.user.name, key, value)
        except (PreferencesFullError, OSError) as error:
            self.notify(f"This could not be kept: {error}", "bad")

    def leave(self) -> None:
        """Ends whatever the page had going."""
        self._is_left = True
        for subscription in self._subscriptions:
            self._hub.unsubscribe(subscription)
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()
        for handler in self._leaving:
            handler()
        self._subscriptions.clear()
        self._leaving.clear()

    async def _run(self, handler: Callable[..., Awaitable[None] | None], *values: Any) -> None:
        try:
            found = handler(*values)
            if inspect.isawaitable(found):
                await found
        except ApiFailureError as error:
            self._tell_failure(error)
        except Exception as error:
            log.error("a part of a page failed", path=self.path, exc=error)
            self._tell_failure(ApiFailureError(500, "A part of this page failed; the server's log says why."))

    def _tell_failure(self, error: ApiFailureError | None) -> None:
        if not self._is_left:
            self._frame.tell_trouble(error.message if error is not None else "")
