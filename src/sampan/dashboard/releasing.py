"""Elements that are removed are gone at once, not when the garbage collector comes round.

An element's properties, classes and style each hold a method of their own as the handler of their changes, and its
event handlers mostly hold the element: circles, which only the collector breaks. The server lets that look at all
objects very seldom (`app.server`), since it stands still meanwhile; a window that is used all day would grow by a
quarter of a megabyte with each page.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import wraps

from nicegui import Client
from nicegui.element import Element


def install() -> None:
    """For all windows. Called once, before anything is served."""
    remove = Client.remove_elements

    @wraps(remove)
    def remove_and_release(self: Client, elements: Iterable[Element]) -> None:
        removed = list(elements)
        remove(self, removed)
        for element in removed:
            _release(element)

    Client.remove_elements = remove_and_release  # type: ignore[method-assign]


def _release(element: Element) -> None:
    """Nothing is sent of it any more, and no event reaches it."""
    element._event_listeners.clear()
    for observed in (element._props, element._classes, element._style):
        observed._change_handlers.clear()
