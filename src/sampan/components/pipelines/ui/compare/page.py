"""`/compare?runs=a,b`: up to ten runs side by side, live while they run. What is shown of them is in the address."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Protocol

from nicegui import ui

from sampan.components.pipelines.ui.compare import drawn, model, spreadsheet, tables
from sampan.components.pipelines.ui.compare.picker import Picker
from sampan.components.pipelines.ui.compare.state import Comparison
from sampan.ui import widgets
from sampan.ui.context import PageContext

_TABS = {
    "table": "Overview",
    "charts": "Charts",
    "curves": "ROC and confusion",
    "steps": "Steps",
    "artifacts": "Artifacts",
}


class _Part(Protocol):
    def refresh(self) -> None:
        """Shows the runs as they are now."""


_PARTS: dict[str, Any] = {
    "table": tables.Overview,
    "charts": drawn.Charts,
    "curves": drawn.Curves,
    "steps": tables.Steps,
    "artifacts": tables.Artifacts,
}


async def build(page: PageContext) -> None:
    asked = page.query.get("runs", "")
    ids = model.wanted_ids(asked)
    state = Comparison(page, ids)
    with widgets.page_header("Compare runs"):
        if ids:
            widgets.button("Download CSV", lambda: _download(state), icon="download")
        if len(ids) < model.MOST_RUNS:
            kind = "" if len(ids) > 1 else "primary"
            widgets.button("Add runs", lambda: _pick(state), icon="add", kind=kind)
    if asked.count(",") >= model.MOST_RUNS:
        widgets.paragraph(f"The first {model.MOST_RUNS} runs are shown: more cannot be compared.", "sp-muted")
    if not ids:
        widgets.empty_state(
            "compare_arrows",
            "Nothing to compare yet",
            "Add two to ten runs to see what differs: parameters, metrics, curves, times and artifacts. "
            "You can also pick runs in the list and choose Compare there.",
            [("Choose in the list of runs", page.href("/runs"))],
        )
        return
    await _Shown(state).start()


class _Shown:
    """The page once there are runs."""

    def __init__(self, state: Comparison) -> None:
        self._state = state
        self._part: _Part | None = None
        self._note = widgets.paragraph("", "sp-muted").props('role="status"')
        self._note.set_visibility(False)
        self._tabs = widgets.Tabs(_TABS, state.page.query.get("tab", ""), self._choose)

    async def start(self) -> None:
        ids = self._state.ids
        predicate = {"key": "run_id", "operation": "IN", "string_values": {"values": ids}}
        query = {
            "view": "FULL",
            "include": "metrics,origin",
            "page_size": str(model.MOST_RUNS),
            "filter": json.dumps({"predicates": [predicate]}),
            "namespace": self._state.page.namespace,
        }
        await self._state.page.live("/apis/v2beta1/runs", self._take, query=query)

    async def _take(self, answer: Any) -> None:
        state = self._state
        # Thousands of tasks take a while, and other tabs should not wait for it.
        state.runs = await asyncio.to_thread(model.read, answer, state.ids)
        self._tell(len(state.ids) - len(state.runs))
        if not state.runs:
            self._part = None
            self._tabs.panel.clear()
            return
        if self._part is None:
            await self._tabs.show()
        else:
            self._part.refresh()

    def _tell(self, missing: int) -> None:
        text = ""
        if missing:
            what = "One of the runs is" if missing == 1 else f"{missing} of the runs are"
            text = f"{what} not here (any more) and left out."
        elif len(self._state.runs) == 1:
            text = "Add another run to compare this one with."
        self._note.set_text(text)
        self._note.set_visibility(bool(text))

    def _choose(self, tab: str) -> None:
        if tab != self._state.page.query.get("tab", "table"):
            self._state.page.set_query(tab="" if tab == "table" else tab)
        self._part = _PARTS[tab](self._state) if self._state.runs else None


def _download(state: Comparison) -> None:
    ui.download.content(spreadsheet.text(state.runs), "compared-runs.csv", "text/csv")


async def _pick(state: Comparison) -> None:
    def take(ids: list[str]) -> None:
        if ids:
            state.compare([*state.ids, *ids])

    await Picker(state.page, state.ids, model.MOST_RUNS - len(state.ids), take).fill()
