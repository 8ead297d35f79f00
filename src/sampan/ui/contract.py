"""What a component's `ui` room hands to the dashboard: navigation, pages, and its part of search, home and activity.

The room's `__init__` holds one `INTERFACE`, which the dashboard loads by the door's `ui_module`, in a thread. The shell
shows what it finds there and knows no component by name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sampan.ui.api import Api
    from sampan.ui.context import PageContext

Build = Callable[["PageContext"], Awaitable[None]]
"""Fills a page. What it raises is shown in its place."""


@dataclass(frozen=True, slots=True)
class Page:
    path: str
    """Below the dashboard's root: `/runs/{run_id}`. A parameter is one segment."""
    title: str
    """Of the window, and the last of the breadcrumbs, until the page itself knows better."""
    build: Build
    parent: str = ""
    """The path of the page above it, whose title leads back there."""


@dataclass(frozen=True, slots=True)
class NavEntry:
    label: str
    path: str
    icon: str
    """The name of a Material icon."""
    also: Sequence[str] = ()
    """Other paths at which this entry is the current one; a path covers what is below it."""
    key: str = ""
    """A letter that leads there after `g`."""


@dataclass(frozen=True, slots=True)
class NavSection:
    """Entries below one heading."""

    label: str
    entries: Sequence[NavEntry]
    order: int = 50
    """Sections with a lower number come first."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that a search found."""

    kind: str
    """What it is, as people say it: Run, Pipeline, Pod."""
    name: str
    path: str
    """The page that shows it."""
    icon: str
    detail: str = ""
    """What tells it from others of its name: a state, an age, an id."""


@dataclass(frozen=True, slots=True)
class Activity:
    """Something that happened, for the feed."""

    at: str
    """RFC 3339."""
    text: str
    icon: str
    path: str = ""
    tone: str = ""
    """`ok`, `bad`, `busy`, `warn`, or nothing."""
    kind: str = ""
    """What it is about, as people say it: Run, Pipeline. The feed can be narrowed to one."""


Search = Callable[["Api", str, str], Awaitable[Sequence[Hit]]]
"""`search(api, namespace, text)`: at most ten of each kind, best first. Ids, names and labels count."""

Feed = Callable[["Api", str, int], Awaitable[Sequence[Activity]]]
"""`feed(api, namespace, most)`: the newest first."""


@dataclass(frozen=True, slots=True)
class HomeCard:
    """A part of the home page."""

    title: str
    """Without one it has no frame either: for what shows itself only at times."""
    build: Build
    order: int = 50
    wide: bool = False


@dataclass(frozen=True, slots=True)
class QuickAction:
    """A button of the home page."""

    label: str
    path: str
    icon: str
    order: int = 50
    key: str = ""
    """A letter that does it from anywhere."""


@dataclass(frozen=True, slots=True)
class Interface:
    """Everything that one component adds to the dashboard."""

    sections: Sequence[NavSection] = ()
    pages: Sequence[Page] = ()
    searches: Sequence[Search] = ()
    feeds: Sequence[Feed] = ()
    home: Sequence[HomeCard] = ()
    quick_actions: Sequence[QuickAction] = ()
    styles: Sequence[Path] = ()
    """Style sheets of its pages, after the shell's own. Tokens (`--sp-…`) in place of colours."""
    upstream_links: Mapping[str, str] = field(default_factory=dict)
    """Addresses of upstream's own pages, as its clients print them (`/runs/details/{run_id}`, which comes after a `#`):
    the path of ours that shows the same. Names in braces stand for parts of theirs, their query included."""
