"""JSON as a tree that folds: for documents and parameters, whoever wrote them."""

from __future__ import annotations

from typing import Any

from nicegui.element import Element


class JsonTree(Element, component="jsontree.js"):
    """Drawn in the browser, where it is unfolded: a large document is a few elements until then."""

    def __init__(self, value: Any, *, label: str, open_levels: int = 2) -> None:
        """`label` names it for whoever hears it."""
        super().__init__()
        # Plain: nested props would be watched for changes.
        dict.__setitem__(self._props, "value", value)
        self._props.update(label=label, openLevels=open_levels)
