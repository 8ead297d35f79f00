"""What the parts of a tab know of it, and what all tabs have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sampan.dashboard.content.origin import ContentOrigin
from sampan.dashboard.feeds import Activities
from sampan.dashboard.mounting import Platform
from sampan.dashboard.preferences import Preferences
from sampan.dashboard.routes import Routes
from sampan.ui.api import Api
from sampan.ui.contract import Interface, NavSection
from sampan.ui.live import Hub


@dataclass(frozen=True, slots=True)
class Shared:
    """What all tabs have in common."""

    platform: Platform
    hub: Hub
    routes: Routes
    interfaces: Sequence[Interface]
    preferences: Preferences
    activities: Activities
    styles: Sequence[str]
    """Below the root, in their order."""
    content: ContentOrigin
    sections: Sequence[NavSection] = field(init=False)

    def __post_init__(self) -> None:
        found = [section for interface in self.interfaces for section in interface.sections]
        object.__setattr__(self, "sections", sorted(found, key=lambda section: section.order))


class Window(Protocol):
    """A tab, as its frame and its pages see it."""

    shared: Shared
    api: Api
    namespace: str
    theme: str
    """`light`, `dark` or `system`."""
    host: str
    """By which the browser knows this server, with its port."""

    def href(self, path: str, **query: str) -> str:
        """The whole address of a page; `path` may bring a query. With the namespace, where it is not the usual one."""
        ...

    def navigate(self, target: str) -> None:
        """The browser is, or is about to be, at `target`: a path below the root, with its query."""
        ...

    def at(self, target: str) -> None:
        """The address has changed without the page: what a reload shows."""
        ...

    async def choose_namespace(self, namespace: str) -> None: ...

    async def choose_theme(self, theme: str) -> None: ...
