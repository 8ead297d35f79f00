"""What users made, as it is shown from a host of its own (decision 30).

Pages name it with `PageContext.content_address`; `ui.sandbox` shows it. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PAGES = frozenset({"html", "markdown"})
"""Kinds that are shown in a frame."""
IMAGES = frozenset({"png", "jpeg", "gif", "webp", "bmp", "avif", "ico", "svg"})
"""Kinds that are shown as pictures, in which nothing runs."""
KINDS = PAGES | IMAGES


@dataclass(frozen=True, slots=True)
class Content:
    """A file of the API's, or a text within a JSON file of it."""

    kind: str
    """One of KINDS: what the browser is told that it is, whatever it says of itself."""
    path: str
    """Of the API; answers to GET."""
    query: Mapping[str, str] = field(default_factory=dict)
    part: tuple[str | int, ...] = ()
    """Names and indexes that lead to a text within JSON; nothing for the whole file."""
