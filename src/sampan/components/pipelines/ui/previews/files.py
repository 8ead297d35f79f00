"""What a file holds, on a page: tables, texts, trees, pictures, pages; of large ones the beginning. For `view`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui.previews import kinds, tables
from sampan.components.pipelines.ui.previews.kinds import Kind
from sampan.components.pipelines.ui.previews.places import Place
from sampan.ui import widgets
from sampan.ui.content import IMAGES, KINDS, Content
from sampan.ui.context import PageContext
from sampan.ui.jsontree.jsontree import JsonTree
from sampan.ui.sandbox.sandbox import Sandbox
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row

_MOST_TEXT = 100_000
"""Characters that are shown."""


async def head_of(page: PageContext, place: Place) -> bytes:
    """Its first bytes, at most as many as are looked at. Raises ApiFailureError."""
    parts, size = [], 0
    query = {**place.query, "peek": str(kinds.PEEK_BYTES)}
    async with contextlib.aclosing(page.api.stream(place.path, query)) as pieces:
        async for piece in pieces:
            parts.append(piece)
            size += len(piece)
            if size >= kinds.PEEK_BYTES:
                break
    return b"".join(parts)[: kinds.PEEK_BYTES]


def facts(kind: Kind, size: int, place: Place) -> None:
    """A line above the content: what it is, how large, and where to get it. A `size` below 0 is not known."""
    with ui.element("div").classes("sp-row sp-preview-facts"):
        widgets.text(kind.label, "sp-muted")
        if size >= 0:
            widgets.text(kinds.size_text(size), "sp-muted")
        if kind.name != "empty":
            found = widgets.download("Download", place.download).classes("sp-button")
            found._props["aria-label"] = f"Download {kind.label}"


def folder(listed: Sequence[Mapping[str, Any]], go: Callable[[str, str], Any]) -> None:
    """Its files, with a button that opens each."""
    columns = (Column("name", "Name"), Column("size", "Size", number=True), Column("open", "", narrow=True))
    table = DataTable(columns, label="Files", on_action=go)
    rows = []
    for each in listed:
        is_folder = each["kind"] == "FOLDER"
        name = str(each["name"])
        rows.append(
            Row(
                name,
                {
                    "name": cells.mono(name + ("/" if is_folder else "")),
                    "size": "" if is_folder else kinds.size_text(int(each.get("size", 0))),
                    "open": cells.actions(
                        [("open", "Open", "folder_open" if is_folder else "visibility")],
                    ),
                },
                name=name,
            )
        )
    table.set_rows(rows)


async def content(page: PageContext, place: Place, kind: Kind, head: bytes, *, size: int, title: str) -> None:
    """The file, or as much of it as is shown."""
    is_whole = len(head) < kinds.PEEK_BYTES
    if kind.name in KINDS:
        if size > kinds.MOST_SHOWN:
            _said(
                "visibility_off",
                f"It is larger than {kinds.size_text(kinds.MOST_SHOWN)}: download it to look at it.",
            )
            return
        Sandbox(page, Content(kind.name, place.path, place.query), title=title, download=place.download)
        if kind.name not in IMAGES or kind.name == "svg":
            _source(head, is_whole)
        return
    if kind.name == "empty":
        _said("insert_drive_file", "The step made this file and wrote nothing into it.")
        return
    text = kinds.text_of(head, is_whole=is_whole)
    if kind.name == "binary" or text is None:
        _said(
            "visibility_off",
            f"{kind.label}: it is not shown here. Download it to open it with a program that reads it.",
        )
    elif kind.name in ("csv", "tsv", "jsonl"):
        try:
            table(tables.read(kind.name, text, is_whole=is_whole), title)
        except tables.NoTableError:
            plain_text(text, is_whole=is_whole)
    elif kind.name == "json" and is_whole and (value := _json(text)) is not None:
        with ui.element("div").classes("sp-card"):
            JsonTree(value, label=title)
    else:
        plain_text(text, is_whole=is_whole)


def table(rows: tables.Rows, label: str) -> None:
    columns = [Column(str(at), name) for at, name in enumerate(rows.columns)]
    with ui.element("div").classes("sp-preview-table"):
        shown = DataTable(columns, label=label)
    shown.set_rows(
        [
            Row(str(at), {str(place): cell for place, cell in enumerate(row)})
            for at, row in enumerate(rows.rows)
        ]
    )
    said = []
    if not rows.is_all:
        said.append(f"The first {len(rows.rows)} rows are shown; the download has all.")
    if rows.left_out:
        said.append(f"{rows.left_out} more columns are not shown.")
    if said:
        widgets.paragraph(" ".join(said), "sp-muted sp-small")


def plain_text(text: str, *, is_whole: bool) -> None:
    shown = widgets.Text("pre", text[:_MOST_TEXT]).classes("sp-preview-text")
    shown.props('tabindex="0" role="region" aria-label="Text"')
    if not is_whole or len(text) > _MOST_TEXT:
        widgets.paragraph("The beginning is shown; the download has all.", "sp-muted sp-small")


def _source(head: bytes, is_whole: bool) -> None:
    """What it is made of, for whoever wants to see that."""
    text = kinds.text_of(head, is_whole=is_whole)
    if text is None:
        return
    with ui.element("details"):
        widgets.Text("summary", "Source")
        plain_text(text, is_whole=is_whole)


def _json(text: str) -> Any:
    try:
        return kinds.json_of(text)
    except ValueError:
        return None


def _said(icon: str, text: str) -> None:
    with ui.element("div").classes("sp-row sp-preview-said"):
        ui.icon(icon).props("aria-hidden=true")
        widgets.text(text)
