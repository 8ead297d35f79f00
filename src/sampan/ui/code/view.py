"""A text with line numbers, and two texts beside each other, as elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nicegui.element import Element

from sampan.ui.code.diff import Row


class CodeView(Element, component="code.js"):
    """Read only. What is out of sight costs the browser nothing, so it may be long."""

    def __init__(
        self, text: str, *, label: str, language: str = "", height: str = "", numbers: bool = True
    ) -> None:
        """`language` is `yaml`, `python`, `json` or nothing; `height` a CSS length at most;
        without one it is as high as it is long.

        `label` names it for whoever hears it.
        """
        super().__init__()
        self._set(text=text, label=label, language=language, height=height, numbers=numbers)

    def _set(self, **given: Any) -> None:
        for key, value in given.items():
            dict.__setitem__(self._props, key, value)


class DiffView(Element, component="diff.js"):
    """Rows of `diff.rows`, one below the other or side by side."""

    def __init__(self, rows: Sequence[Row], *, label: str, is_split: bool = False, height: str = "") -> None:
        super().__init__()
        for key, value in (("rows", list(rows)), ("label", label), ("split", is_split), ("height", height)):
            dict.__setitem__(self._props, key, value)

    def split(self, is_split: bool) -> None:
        """Side by side, or one below the other."""
        dict.__setitem__(self._props, "split", is_split)
        self.run_method("setSplit", is_split)
