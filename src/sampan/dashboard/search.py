"""Global search: asks all components at once, and hands on what each has found as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from sampan.dashboard.window import Window
from sampan.lib.log import get_logger
from sampan.ui.api import ApiFailureError
from sampan.ui.contract import Hit, Interface, NavSection, Search

log = get_logger(__name__)

_PATIENCE_SECONDS = 4.0
"""A component that has not answered by then is left out, and that is said."""
_LONGEST_TEXT = 200


class Palette(Element, component="static/palette.js"):
    """The dialogs of search and of shortcuts."""

    def __init__(self, window: Window) -> None:
        super().__init__()
        self._window = window
        self._asking: asyncio.Task[None] | None = None
        self.on("ask", self._ask)
        self.refresh()

    def refresh(self) -> None:
        """The addresses of pages have the namespace in them."""
        shared = self._window.shared
        found = places(shared.sections, shared.interfaces)
        for each in found:
            each["href"] = self._window.href(each.pop("path"))
        dict.__setitem__(self._props, "places", found)
        self._props["namespace"] = self._window.namespace
        self.update()

    def open(self) -> None:
        self.run_method("open")

    def show_keys(self) -> None:
        self.run_method("showKeys")

    def stop(self) -> None:
        """The tab is gone."""
        if self._asking is not None:
            self._asking.cancel()

    def _ask(self, event: GenericEventArguments) -> None:
        self.stop()
        number, text = int(event.args["number"]), str(event.args["text"])[:_LONGEST_TEXT]
        if text:
            self._asking = asyncio.create_task(self._answer(number, text), name="dashboard search")

    async def _answer(self, number: int, text: str) -> None:
        searches = [search for each in self._window.shared.interfaces for search in each.searches]
        asked = [asyncio.create_task(self._of_one(search, text)) for search in searches]
        is_slow = False
        try:
            for answer in asyncio.as_completed(asked, timeout=_PATIENCE_SECONDS):
                hits = await answer
                if hits:
                    self.run_method("take", number, [self._plain(hit) for hit in hits], "more")
        except TimeoutError:
            is_slow = True
        finally:
            for task in asked:
                task.cancel()
        self.run_method("take", number, [], "slow" if is_slow else "done")

    async def _of_one(self, search: Search, text: str) -> Sequence[Hit]:
        try:
            return await search(self._window.api, self._window.namespace, text)
        except ApiFailureError:
            # What this user may not see is not found by them.
            return ()
        except Exception as error:
            log.error("a search failed", exc=error)
            return ()

    def _plain(self, hit: Hit) -> dict[str, Any]:
        return {
            "kind": hit.kind,
            "name": hit.name,
            "detail": hit.detail,
            "icon": hit.icon,
            "href": self._window.href(hit.path),
        }


def places(sections: Iterable[NavSection], interfaces: Iterable[Interface]) -> list[dict[str, Any]]:
    """Where one can go without searching: pages of the navigation, and what can be begun."""
    found: list[dict[str, Any]] = [
        {
            "name": entry.label,
            "detail": section.label,
            "words": entry.path,
            "icon": entry.icon,
            "path": entry.path,
            "keys": ["g", entry.key] if entry.key else None,
        }
        for section in sections
        for entry in section.entries
    ]
    actions = [action for each in interfaces for action in each.quick_actions]
    found += [
        {
            "name": action.label,
            "detail": "",
            "words": action.path,
            "icon": action.icon,
            "path": action.path,
            "keys": [action.key] if action.key else None,
        }
        for action in sorted(actions, key=lambda action: action.order)
    ]
    return found
