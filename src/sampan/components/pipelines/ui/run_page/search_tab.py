"""The logs of a run: one for each step, and all of them searched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui

from sampan.components.pipelines.ui import messages
from sampan.components.pipelines.ui.run_page.model import Step
from sampan.components.pipelines.ui.states import shown
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext
from sampan.ui.table import cells
from sampan.ui.table.search_box import SearchBox
from sampan.ui.table.table import Column, DataTable, Row

_COLUMNS = (Column("step", "Step"), Column("line", "Line", number=True), Column("text", "Text"))
_LOGS = (
    Column("label", "Step"),
    Column("state", "State"),
    Column("started", "Started"),
    Column("attempts", "Attempts", number=True),
    Column("actions", "", narrow=True),
)
_MOST_LOGS = 500
_PAGE = "200"
_HINT = "Capitals do not count. Below are the steps that have a log."


class SearchTab:
    """Without a text, the steps whose logs there are; with one, the lines that hold it."""

    def __init__(self, page: PageContext, run_id: str, open_log: Callable[[str], Any]) -> None:
        self._page = page
        self._run_id = run_id
        self._text = page.query.get("find", "")
        self._is_regex = False
        self._found: list[Any] = []
        self._token = ""
        self._round = 0
        with ui.element("div").classes("sp-bar-of-list"):
            SearchBox("Find in the logs of all steps", self._text, self._type).classes("sp-wide-search")
            with ui.element("label").classes("sp-check"):
                box = ui.element("input").props('type="checkbox"')
                box.on("change", self._switch, js_handler="(event) => emit(event.target.checked)")
                widgets.text("Regular expression")
        self._told = widgets.paragraph(_HINT, "sp-muted")
        self._logs = DataTable(_LOGS, label="Logs of steps", on_action=lambda key, _: open_log(key))
        self._logs.set_visibility(not self._text)
        self._table = DataTable(_COLUMNS, label="Lines found")
        self._table.set_visibility(False)
        self._more = widgets.button("Search on", self._go_on, icon="expand_more")
        self._more.set_visibility(False)

    async def start(self) -> None:
        if self._text:
            await self._search()

    def show(self, steps: Sequence[Step]) -> None:
        """The run's steps, as they are now."""
        self._logs.set_rows([log_row(step) for step in steps if step.attempts][:_MOST_LOGS])

    async def _type(self, text: str) -> None:
        self._text = text
        self._page.set_query(find=text)
        await self._search()

    async def _switch(self, event: Any) -> None:
        self._is_regex = bool(event.args)
        await self._search()

    async def _search(self) -> None:
        self._found, self._token = [], ""
        await self._ask()

    async def _go_on(self) -> None:
        await self._ask()

    async def _ask(self) -> None:
        self._round += 1
        this = self._round
        found: Any = {}
        told = _HINT
        if self._text.strip():
            asked = {
                "run_id": self._run_id,
                "namespace": self._page.namespace,
                "text": self._text,
                "ignore_case": "true",
                "page_size": _PAGE,
                "page_token": self._token,
                "regex": "true" if self._is_regex else "",
            }
            try:
                found = await self._page.api.get("/apis/v2beta1/logs:search", asked)
                told = ""
            except ApiFailureError as error:
                told = error.message
        if this != self._round:
            return
        self._found += found.get("matches", [])
        self._token = found.get("next_page_token", "")
        self._show(told)

    def _show(self, told: str) -> None:
        count = len(self._found)
        self._logs.set_visibility(not self._text.strip())
        self._told.set_text(told or (f"{count:,} lines found" if count else "No line has this in it."))
        self._table.set_visibility(count > 0)
        self._more.set_visibility(bool(self._token))
        self._table.set_rows([row(number, match, self._page) for number, match in enumerate(self._found)])


def row(number: int, match: Any, page: PageContext) -> Row:
    line = str(match["line_number"])
    address = page.href(
        f"/runs/{match['run_id']}",
        task=match["task_id"],
        panel="log",
        line=line,
        attempt=str(match["attempt"]),
    )
    step = str(match.get("path") or match.get("step", "")).removeprefix("root/")
    return Row(
        str(number),
        {
            "step": cells.link(
                step, address, second=f"attempt {match['attempt']}" if match["attempt"] > 1 else ""
            ),
            "line": cells.number(match["line_number"]),
            "text": cells.mono(messages.plain(str(match.get("text", "")))),
        },
    )


def log_row(step: Step) -> Row:
    word, tone, icon = shown(step.state)
    return Row(
        step.task_id,
        {
            "label": step.label,
            "state": cells.state(word, tone, icon),
            "started": cells.time(step.start),
            "attempts": cells.number(step.attempts),
            "actions": cells.actions([("open", "Open the log of", "article")]),
        },
        name=step.label,
    )
