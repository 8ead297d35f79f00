"""Untrusted content on a page: HTML and markdown in a frame, pictures as pictures, all from the content host.

What is in the frame has an origin without a name, reaches neither the page around it nor any server, and ends with it.
"""

from __future__ import annotations

from nicegui.element import Element

from sampan.ui.content import IMAGES, Content
from sampan.ui.context import PageContext


class Sandbox(Element, component="sandbox.js"):
    """Says what to do where the browser does not reach the content host."""

    def __init__(self, page: PageContext, content: Content, *, title: str, download: str = "") -> None:
        """`title` says what it is to whoever hears it; `download` is where the file itself is."""
        super().__init__()
        self._page = page
        self._content = content
        self._props.update(
            address=page.content_address(content),
            kind="picture" if content.kind in IMAGES else content.kind,
            title=title,
            download=download if download.startswith("/") and not download.startswith("//") else "",
        )
        # A frame that is opened again, or by itself, after its address has expired.
        self.on("fresh", lambda _: self._renew())

    def _renew(self) -> None:
        self._props["address"] = self._page.content_address(self._content)
        self.update()
