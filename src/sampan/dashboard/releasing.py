"""Elements that are removed are gone at once, not when the garbage collector comes round; of windows, a few at a time.

An element's properties, classes and style each hold a method of their own as the handler of their changes, and its
event handlers mostly hold the element: circles, which only the collector breaks. The server lets that look at all
objects very seldom (`app.server`), since it stands still meanwhile; a window that is used all day would grow by a
quarter of a megabyte with each page. A window itself hangs together with its request in more circles than can be cut:
for those the collector is called, once for many.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable
from functools import wraps

from nicegui import Client
from nicegui.element import Element

WINDOWS = 32
"""Closed between two calls of the collector: some 10 MB of memory, for some 40 ms of standing still."""
_LATER_SECONDS = 1.0
"""For what still ends of the last of them."""


def install() -> None:
    """For all windows. Called once, before anything is served."""
    remove, delete = Client.remove_elements, Client.delete
    closed = 0

    @wraps(remove)
    def remove_and_release(self: Client, elements: Iterable[Element]) -> None:
        removed = list(elements)
        remove(self, removed)
        for element in removed:
            _release(element)

    @wraps(delete)
    def delete_and_count(self: Client) -> None:
        nonlocal closed
        delete(self)
        closed += 1
        if closed % WINDOWS == 0:
            asyncio.get_running_loop().call_later(_LATER_SECONDS, gc.collect)

    Client.remove_elements = remove_and_release  # type: ignore[method-assign]
    Client.delete = delete_and_count  # type: ignore[method-assign]


def _release(element: Element) -> None:
    """Nothing is sent of it any more, and no event reaches it."""
    element._event_listeners.clear()
    for observed in (element._props, element._classes, element._style):
        observed._change_handlers.clear()
