"""All training jobs of a namespace, of every kind: narrowed, sorted, live. What is shown stands in the address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from nicegui import ui

from sampan.components.training.api.kinds import ALL_JOB_KINDS
from sampan.components.training.api.summary import State, Summary, summarise
from sampan.components.training.ui import actions, places, states
from sampan.components.training.ui.following import Jobs
from sampan.components.training.ui.job_list import bulk, query, rows
from sampan.components.training.ui.job_list.query import Wanted
from sampan.kube.meta import Object
from sampan.ui import widgets, words
from sampan.ui.context import PageContext
from sampan.ui.controls.controls import Chips, Choice
from sampan.ui.table.pager import Pager
from sampan.ui.table.search_box import SearchBox
from sampan.ui.table.table import DataTable

COMMAND = "sampan train script.py --nodes 2"
_SIZE = 100
_CHIPS = {state.value: states.shown(state)[0] for state in State}


async def build(page: PageContext) -> None:
    await _List(page).build()


class _List:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._wanted = query.from_address(page.query)
        self._all: Sequence[Summary] = ()
        self._shown: dict[str, Summary] = {}
        self._start = 0
        self._is_empty: bool | None = None

    async def build(self) -> None:
        page = self._page
        with widgets.page_header(
            "Training jobs", "Of every kind: TrainJobs, and those of the Training Operator."
        ):
            widgets.button("Runtimes", icon="layers", href=page.href(places.RUNTIMES))
            widgets.button("New training job", icon="add", kind="primary", href=page.href(places.NEW))
        self._build_bar()
        self._picked_bar = ui.element("div").classes("sp-picked-bar")
        self._picked_bar.props('role="toolbar" aria-label="Picked jobs"')
        self._picked_bar.set_visibility(False)
        wanted = self._wanted
        self._table = DataTable(
            rows.COLUMNS,
            label="Training jobs",
            pick=self._picked,
            on_sort=self._sort,
            on_action=self._act,
            order=(wanted.sort, wanted.descending),
        ).classes("tr-jobs")
        self._pager = Pager(self._turn, _SIZE)
        self._empty = ui.element("div")
        jobs = Jobs(page, self._take)
        await jobs.follow()
        if jobs.hidden:
            widgets.paragraph(f"You may not list {', '.join(jobs.hidden)} here.", "sp-muted")

    def _build_bar(self) -> None:
        wanted = self._wanted
        kinds = [("", "Any kind"), *((each.kind, each.kind) for each in ALL_JOB_KINDS)]
        with ui.element("div").classes("sp-bar-of-list").props('role="search" aria-label="Narrow the jobs"'):
            SearchBox("Name or framework", wanted.text, lambda text: self._narrow(text=text))
            Chips("State", _CHIPS, wanted.states, lambda on: self._narrow(states=on))
            Choice("Kind", kinds, wanted.kind, lambda kind: self._narrow(kind=kind))

    def _take(self, jobs: Sequence[Object]) -> None:
        self._all = [summarise(job) for job in jobs]
        self._show()

    def _show(self) -> None:
        found = query.chosen(self._all, self._wanted)
        self._start = self._start if self._start < len(found) else 0
        part = found[self._start : self._start + _SIZE]
        self._shown = {rows.identity(job): job for job in part}
        self._table.set_rows([rows.row(job, self._page.href) for job in part])
        self._table.set_visibility(bool(part))
        after = self._start + _SIZE
        self._pager.show(len(part), len(found), str(after) if after < len(found) else "")
        if self._is_empty != (not part):
            self._is_empty = not part
            self._say_empty()

    def _say_empty(self) -> None:
        self._empty.clear()
        if not self._is_empty:
            return
        page = self._page
        with self._empty:
            if self._all:
                detail = "Clear the filters to see all of them."
                widgets.empty_state(
                    "search_off", "No job fits", detail, [("Show all", page.href(places.LIST))]
                )
                return
            widgets.empty_state(
                states.ICON,
                "No training jobs yet",
                "A job trains a model, on one node or on many at once. Make one here, or from a script of yours:",
                [
                    ("New training job", page.href(places.NEW)),
                    ("What can be trained with", page.href(places.RUNTIMES)),
                ],
                command=COMMAND,
            )

    def _narrow(self, **changed: Any) -> None:
        self._ask(replace(self._wanted, **changed))

    def _sort(self, key: str, descending: bool) -> None:
        self._ask(replace(self._wanted, sort=key, descending=descending))

    def _ask(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._start = 0
        self._is_empty = None
        self._pager.restart()
        self._page.set_query(**query.to_address(wanted))
        self._show()

    def _turn(self, token: str) -> None:
        self._start = int(token or 0)
        self._show()

    def _picked(self, ids: list[str]) -> None:
        self._picked_bar.clear()
        self._picked_bar.set_visibility(bool(ids))
        with self._picked_bar:
            widgets.text(f"{words.counted(len(ids), 'job|jobs')} picked")
            for action in bulk.ACTIONS:
                kind = "danger" if action.name == "delete" else ""
                widgets.button(action.label, partial(self._ask_many, action), icon=action.icon, kind=kind)
            widgets.button("Pick none", self._table.clear_picked, icon="close")

    def _ask_many(self, action: bulk.Action) -> None:
        jobs = [self._shown[each] for each in self._table.picked if each in self._shown]
        bulk.ask(self._page, action, jobs, self._unpick)

    def _unpick(self) -> None:
        self._table.clear_picked()
        self._picked_bar.set_visibility(False)

    async def _act(self, identity: str, name: str) -> None:
        job = self._shown.get(identity)
        if job is None:
            return
        match name:
            case "clone":
                self._page.go(places.NEW, clone=identity)
            case "resume":
                await actions.suspend(self._page, job, False)
            case _:
                bulk.ask(self._page, bulk.BY_NAME[name], [job], lambda: None)
