"""Below a job's head: why it failed with the end of the log that says so, or what it waits for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from nicegui import ui
from nicegui.element import Element

from sampan.components.training.ui.job_page.waiting import Reason
from sampan.ui import widgets
from sampan.ui.logview import terminal

_ICONS = {"bad": "error", "warn": "warning", "idle": "info"}
_MOST_CHARACTERS = 4000

EndOfLog = Callable[[str], Awaitable[str]]
"""Of a rank: the last lines that it printed; nothing where there are none."""


class Banner:
    def __init__(self, end_of_log: EndOfLog, spawn: Callable[[Awaitable[None], str], None]) -> None:
        self._end_of_log = end_of_log
        self._spawn = spawn
        self._drawn: Sequence[Reason] = ()
        self._place = ui.element("div").props('role="status"')

    def show(self, reasons: Sequence[Reason]) -> None:
        if list(reasons) == list(self._drawn):
            return
        self._drawn = reasons
        self._place.clear()
        with self._place:
            for each in reasons:
                place = _notice(each)
                if each.rank:
                    self._spawn(self._quote(place, each.rank), "end of a log")

    async def _quote(self, place: Element, rank: str) -> None:
        text = end_of(await self._end_of_log(rank))
        if not text or place.is_deleted:
            return
        with place:
            quoted = widgets.Text("pre", text).classes("sp-notice-log").props('tabindex="0"')
            quoted._props["aria-label"] = f"End of the log of {rank}"


def end_of(log: str) -> str:
    """Of a merged log of one rank: what it printed, as text. Pure."""
    lines = [terminal.plain(line.partition("] ")[2]) for line in log.splitlines()]
    return "\n".join(lines).strip("\n")[-_MOST_CHARACTERS:]


def _notice(reason: Reason) -> Element:
    label = "Why it failed" if reason.tone == "bad" else "What it waits for"
    with ui.element("section").classes(f"sp-notice sp-tone-{reason.tone}") as found:
        found._props["aria-label"] = label
        with ui.element("div").classes("sp-notice-head"):
            ui.icon(_ICONS.get(reason.tone, "info")).props("aria-hidden=true")
            widgets.heading(reason.title)
        if reason.text:
            widgets.paragraph(reason.text, "sp-pre")
        if reason.hint:
            widgets.paragraph(reason.hint, "sp-muted")
    return found
