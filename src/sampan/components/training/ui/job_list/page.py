"""All training jobs of a namespace, of every kind: narrowed, sorted, live. What is shown stands in the address."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from nicegui import ui

from sampan.components.training.api.kinds import ALL_JOB_KINDS
from sampan.components.training.api.summary import State, Summary, summarise
from sampan.components.training.ui import actions, places, states
from sampan.components.training.ui.following import Jobs
from sampan.components.training.ui.job_list import bulk, rows
from sampan.components.training.ui.job_list.query import NARROWING
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.controls.controls import Chips, Choice
from sampan.ui.table.acting import Action
from sampan.ui.table.narrowed import NarrowedTable, PickedAction, View
from sampan.ui.table.search_box import SearchBox

COMMAND = "sampan train script.py --nodes 2"
_CHIPS = {state.value: states.shown(state)[0] for state in State}


async def build(page: PageContext) -> None:
    await _List(page).build()


class _List:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        view: View[Summary] = View(
            "Training jobs",
            "job|jobs",
            rows.COLUMNS,
            row=lambda job: rows.row(job, page.href),
            narrowing=NARROWING,
            home=places.LIST,
            offer=self._offer,
            act=self._act,
            picked=[self._picked_action(each) for each in bulk.ACTIONS],
        )
        self._table = NarrowedTable(page, view)

    async def build(self) -> None:
        page = self._page
        with widgets.page_header(
            "Training jobs", "Of every kind: TrainJobs, and those of the Training Operator."
        ):
            widgets.button("Runtimes", icon="layers", href=page.href(places.RUNTIMES))
            widgets.button("New training job", icon="add", kind="primary", href=page.href(places.NEW))
        self._build_bar()
        self._table.build().classes("tr-jobs")
        jobs = Jobs(page, self._take)
        await jobs.follow()
        if jobs.hidden:
            widgets.paragraph(f"You may not list {', '.join(jobs.hidden)} here.", "sp-muted")

    def _build_bar(self) -> None:
        wanted, narrow = self._table.wanted, self._table.narrow
        kinds = [("", "Any kind"), *((each.kind, each.kind) for each in ALL_JOB_KINDS)]
        with ui.element("div").classes("sp-bar-of-list").props('role="search" aria-label="Narrow the jobs"'):
            SearchBox("Name or framework", wanted.text, lambda text: narrow(text=text))
            Chips("State", _CHIPS, wanted.states, lambda on: narrow(states=on))
            Choice("Kind", kinds, wanted.kind, lambda kind: narrow(kind=kind))

    def _take(self, jobs: Sequence[Object]) -> None:
        self._table.take([summarise(job) for job in jobs])

    def _offer(self) -> None:
        page = self._page
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

    def _picked_action(self, action: Action[Summary]) -> PickedAction[Summary]:
        kind = "danger" if action.name == "delete" else ""
        return PickedAction(action.label, action.icon, partial(self._ask_many, action), kind)

    def _ask_many(self, action: Action[Summary], jobs: list[Summary]) -> None:
        bulk.ask(self._page, action, jobs, self._table.unpick)

    def _act(self, job: Summary, name: str) -> Any:
        match name:
            case "clone":
                self._page.go(places.NEW, clone=rows.identity(job))
            case "resume":
                return actions.suspend(self._page, job, False)
            case _:
                bulk.ask(self._page, bulk.BY_NAME[name], [job], lambda: None)
        return None
