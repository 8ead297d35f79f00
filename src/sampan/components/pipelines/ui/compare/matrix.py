"""The table of a comparison: a column for each run, rows in sections that fold. Drawn by `matrix.js`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from nicegui.element import Element

from sampan.components.pipelines.ui.compare.rows import Section
from sampan.ui.times import TIMES


@dataclass(frozen=True, slots=True)
class Column:
    id: str
    name: str
    href: str
    look: int


class Matrix(Element, component="matrix.js", esm=TIMES):
    def __init__(
        self,
        label: str,
        columns: Sequence[Column],
        sections: Sequence[Section],
        base: str,
        act: Callable[[str, str], Any],
    ) -> None:
        """`act` gets what was asked (`left`, `right`, `base`, `remove`, or a row's action) and a column's id."""
        super().__init__()
        self._shown = (columns, sections, base)
        self._props.update(label=label, fixed=False)
        self._keep()
        self.on("act", lambda event: act(str(event.args["name"]), str(event.args["id"])))

    def fix(self) -> Self:
        """Columns have no buttons."""
        self._props["fixed"] = True
        return self

    def show(self, columns: Sequence[Column], sections: Sequence[Section], base: str) -> None:
        """In place of what is shown; nothing is sent where it is the same."""
        if (columns, sections, base) != self._shown:
            self._shown = (columns, sections, base)
            self._keep()
            self.run_method("draw", self._props["columns"], self._props["sections"], base)

    def _keep(self) -> None:
        columns, sections, base = self._shown
        # What a window that is loaded again begins with; no message by itself.
        dict.__setitem__(self._props, "columns", [asdict(column) for column in columns])
        dict.__setitem__(self._props, "sections", [asdict(section) for section in sections])
        dict.__setitem__(self._props, "base", base)
