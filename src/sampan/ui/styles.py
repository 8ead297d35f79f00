"""The style sheets of the toolkit's own elements, beside their scripts."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent

STYLES: tuple[Path, ...] = (
    _HERE / "controls" / "controls.css",
    _HERE / "forms" / "forms.css",
    _HERE / "objects" / "objects.css",
    _HERE / "code" / "code.css",
    _HERE / "charts" / "charts.css",
    _HERE / "copied" / "copied.css",
    _HERE / "logview" / "logview.css",
    _HERE / "sandbox" / "sandbox.css",
    _HERE / "jsontree" / "jsontree.css",
    _HERE / "graph" / "graph.css",
    _HERE / "timeline" / "timeline.css",
)
