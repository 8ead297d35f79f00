"""The element: a secret that is shown once, an address to give to others, a command."""

from __future__ import annotations

from nicegui.element import Element

ORIGIN = "ORIGIN"
"""Stands in a text for the address that the browser has of this server."""


class Copied(Element, component="copied.js"):
    def __init__(self, text: str, label: str) -> None:
        """`label` says what it is: `secret`, `address`."""
        super().__init__()
        self._props.update(text=text, label=label, local=ORIGIN in text, mark=ORIGIN)
