"""All runs of a namespace: narrowed, sorted, a page at a time, live. What is shown stands in the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from nicegui import ui
from nicegui.element import Element

from sampan.components.pipelines.ui import run_actions
from sampan.components.pipelines.ui.run_actions import Run
from sampan.components.pipelines.ui.run_list import bulk, query, rows
from sampan.components.pipelines.ui.run_list.saved import SavedViews
from sampan.components.pipelines.ui.states import shown
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext, Stop
from sampan.ui.controls.controls import Chips, Choice
from sampan.ui.table.acting import Action
from sampan.ui.table.search_box import SearchBox
from sampan.ui.table.table import Column, DataTable

_RUNS = "/apis/v2beta1/runs"
_CHIPS = {
    state: shown(state)[0] for state in ("RUNNING", "PENDING", "PAUSED", "SUCCEEDED", "FAILED", "CANCELED")
}
_COMMAND = "sampan run pipeline.py"


async def build(page: PageContext) -> None:
    await RunList(page).build()


@dataclass(frozen=True, slots=True)
class Within:
    """What a list that stands on the page of something else is kept to."""

    experiment: str
    archived: bool = False


class RunList:
    def __init__(self, page: PageContext, within: Within | None = None) -> None:
        """With `within` it has no heading and no saved views."""
        self._page = page
        self._within = within
        self._saved = SavedViews(page, self._apply)
        beginning = self._saved.beginning() if within is None else page.query
        self._wanted = self._kept(query.from_address(beginning))
        self._tokens: list[str] = [page.query["page"]] if page.query.get("page") else [""]
        """Of the pages that were gone through, the one shown last."""
        self._following: Stop | None = None
        self._round = 0
        self._runs: list[dict[str, Any]] = []
        self._next = ""
        self._total = 0
        self._columns = (self._wanted.metrics, False)
        self._held: Any = None
        """An answer that would move rows while some are picked."""

    async def build(self) -> Stop:
        """What is returned ends it before its page does."""
        page = self._page
        if self._within is None:
            with widgets.page_header("Runs"):
                self._saved.build()
                widgets.button("Columns", self._choose_columns, icon="view_column")
                widgets.button("New run", icon="add", kind="primary", href=page.href("/runs/new"))
        self._build_bar()
        self._picked_bar = (
            ui.element("div").classes("sp-picked-bar").props('role="toolbar" aria-label="Picked runs"')
        )
        self._picked_bar.set_visibility(False)
        self._build_picked_bar()
        with ui.element("div") as self._place:
            self._table = DataTable(
                self._columns_of(self._wanted.metrics, with_starter=False),
                label="Runs",
                pick=self._picked,
                on_sort=self._sort,
                on_action=self._act,
                order=(self._wanted.sort, self._wanted.descending),
            )
        self._empty = ui.element("div")
        self._build_pager()
        await self._follow()
        page.spawn(self._fill_choices(), "filters of runs")
        return self._end

    def _end(self) -> None:
        self._round += 1
        if self._following is not None:
            self._following()

    def _build_bar(self) -> None:
        wanted = self._wanted
        with ui.element("div").classes("sp-bar-of-list").props('role="search" aria-label="Narrow the runs"'):
            self._box = SearchBox("Name contains", wanted.text, lambda text: self._narrow(text=text))
            self._chips = Chips("State", _CHIPS, wanted.states, lambda on: self._narrow(states=on))
            self._experiment = Choice(
                "Experiment",
                _any(wanted.experiment),
                wanted.experiment,
                lambda key: self._narrow(experiment=key),
            )
            self._pipeline = Choice(
                "Pipeline",
                _any(wanted.pipeline),
                wanted.pipeline,
                lambda key: self._narrow(pipeline=key, version=""),
            )
            spans = [("", "Any time"), *((key, text) for key, (text, _) in query.SPANS.items())]
            self._span = Choice("Started", spans, wanted.span, lambda key: self._narrow(span=key))
            self._clear = widgets.button("Clear", self._clear_filters, icon="filter_alt_off")
            if self._within is not None:
                self._experiment.set_visibility(False)
                widgets.button("Columns", self._choose_columns, icon="view_column")

    def _build_pager(self) -> None:
        with ui.element("div").classes("sp-pager") as self._pager:
            self._count = widgets.Text("span", "")
            self._back = widgets.icon_button("chevron_left", "Newer page", self._go_back)
            self._forward = widgets.icon_button("chevron_right", "Next page", self._go_on)
            widgets.change_icon_button(self._back, "chevron_left", "Previous page")

    async def _follow(self) -> None:
        """Asks for what is wanted now, and goes on asking."""
        self._round += 1
        this = self._round
        if self._following is not None:
            self._following()
            self._following = None
        archived = self._within is not None and self._within.archived
        asked = query.to_api(self._wanted, self._page.namespace, datetime.now(UTC), archived=archived)
        if self._tokens[-1]:
            # The token holds the order and the filter.
            asked = {key: value for key, value in asked.items() if key not in ("sort_by", "filter")}
            asked["page_token"] = self._tokens[-1]

        def take(found: Any) -> None:
            if this == self._round:
                self._take(found)

        stop = await self._page.live(_RUNS, take, query=asked)
        if this != self._round:
            stop()
        else:
            self._following = stop

    def _take(self, found: Any) -> None:
        runs = found.get("runs", [])
        ids = [run["run_id"] for run in runs]
        if self._table.picked and ids != [run["run_id"] for run in self._runs]:
            self._held = found
            self._show_picked()
            # What is picked stays where it is; how it goes is shown all the same.
            fresh = {run["run_id"]: run for run in runs}
            runs = [fresh.get(run["run_id"], run) for run in self._runs]
        else:
            self._held = None
            self._next = found.get("next_page_token", "")
            self._total = int(found.get("total_size", 0))
        self._runs = list(runs)
        self._set_columns()
        self._table.set_rows([rows.row(run, self._page.href, self._wanted.metrics) for run in runs])
        self._show_around()

    def _set_columns(self) -> None:
        wanted = (self._wanted.metrics, any(rows.has_starter(run) for run in self._runs))
        if wanted != self._columns:
            self._columns = wanted
            self._table.set_columns(self._columns_of(wanted[0], with_starter=wanted[1]))

    def _columns_of(self, metrics: Sequence[str], *, with_starter: bool) -> list[Column]:
        found = rows.columns(metrics, with_starter=with_starter)
        return [column for column in found if self._within is None or column.key != "experiment"]

    def _kept(self, wanted: query.RunQuery) -> query.RunQuery:
        """Within what the list is kept to."""
        return wanted if self._within is None else replace(wanted, experiment=self._within.experiment)

    @property
    def _is_narrowed(self) -> bool:
        wanted = self._wanted if self._within is None else replace(self._wanted, experiment="")
        return wanted.is_narrowed

    def _show_around(self) -> None:
        """What depends on how many there are."""
        is_empty = not self._runs
        self._place.set_visibility(not is_empty)
        self._pager.set_visibility(not is_empty)
        self._clear.set_visibility(self._is_narrowed)
        self._count.set_text(
            _range(len(self._tokens), len(self._runs), self._total, self._page.query.get("page", ""))
        )
        widgets.set_enabled(self._back, bool(self._tokens[-1]), "This is the first page")
        widgets.set_enabled(self._forward, bool(self._next), "This is the last page")
        self._empty.clear()
        if is_empty:
            with self._empty:
                self._build_empty()

    def _build_empty(self) -> None:
        if self._is_narrowed:
            with widgets.empty_state(
                "filter_alt_off", "No run is like that", "Take a filter away to see more."
            ):
                widgets.button("Clear filters", self._clear_filters, kind="primary")
            return
        widgets.empty_state(
            "play_circle",
            "No runs yet",
            "A run is one execution of a pipeline. Start one here, from the command line, or from Python.",
            [("New run", self._new_run()), ("Pipelines", self._page.href("/pipelines"))],
            command=_COMMAND,
        )

    def _new_run(self) -> str:
        return self._page.href("/runs/new", experiment=self._within.experiment if self._within else "")

    async def _narrow(self, **changed: Any) -> None:
        await self._show(replace(self._wanted, **changed))

    async def _clear_filters(self) -> None:
        wanted = self._wanted
        kept = query.RunQuery(sort=wanted.sort, descending=wanted.descending, metrics=wanted.metrics)
        await self._show(kept, also_controls=True)

    async def _apply(self, address: Mapping[str, str]) -> None:
        """A saved view was chosen."""
        await self._show(query.from_address(address), also_controls=True)

    async def _show(self, wanted: query.RunQuery, *, also_controls: bool = False) -> None:
        self._wanted = self._kept(wanted)
        self._tokens = [""]
        if also_controls:
            self._box.set(wanted.text)
            self._chips.set(wanted.states)
            self._span.choose(wanted.span)
            self._experiment.choose(wanted.experiment)
            self._pipeline.choose(wanted.pipeline)
            self._table.set_order(wanted.sort, wanted.descending)
        self._note_address()
        self._table.clear_picked()
        self._picked([])
        await self._follow()

    def _note_address(self) -> None:
        address = query.to_address(self._wanted)
        if self._within is None:
            self._page.set_query(**address, page=self._tokens[-1], view=self._saved.note(address))
        else:
            self._page.set_query(**{**address, "experiment": "", "page": self._tokens[-1]})

    async def _sort(self, sort: str, descending: bool) -> None:
        await self._show(replace(self._wanted, sort=sort, descending=descending))

    async def _go_on(self) -> None:
        self._tokens.append(self._next)
        await self._turn()

    async def _go_back(self) -> None:
        self._tokens.pop()
        self._tokens = self._tokens or [""]
        await self._turn()

    async def _turn(self) -> None:
        self._note_address()
        self._table.clear_picked()
        self._picked([])
        await self._follow()

    def _picked(self, _ids: list[str]) -> None:
        if not self._table.picked and self._held is not None:
            self._take(self._held)
        self._show_picked()

    def _build_picked_bar(self) -> None:
        """Once: whoever picks one more and clicks at once has clicked a button that is still there."""
        with self._picked_bar:
            self._picked_count = widgets.text("")
            self._compared = widgets.button("Compare", self._compare, icon="compare_arrows")
            self._bulk = {
                action.name: widgets.button(
                    action.label,
                    partial(self._ask, action),
                    icon=action.icon,
                    kind="danger" if action.name == "delete" else "",
                )
                for action in bulk.ACTIONS
            }
            widgets.button("Clear", self._unpick, icon="close")
            self._newer = widgets.text(
                "There are newer runs; they are shown once nothing is picked.", "sp-muted"
            )

    def _show_picked(self) -> None:
        count = len(self._table.picked)
        self._picked_bar.set_visibility(count > 0)
        if not count:
            return
        self._picked_count.set_text(f"{count} picked")
        can_compare = 2 <= count <= bulk.MOST_COMPARED
        widgets.set_enabled(self._compared, can_compare, f"Pick 2 to {bulk.MOST_COMPARED} runs to compare")
        chosen = self._chosen()
        for action in bulk.ACTIONS:
            does_fit = any(action.fits(run) for run in chosen)
            widgets.set_enabled(self._bulk[action.name], does_fit, f"None of these can be {action.past}")
        self._newer.set_visibility(self._held is not None)

    def _ask(self, action: Action[Run]) -> None:
        bulk.ask(self._page, action, self._chosen(), self._unpick)

    def _chosen(self) -> list[dict[str, Any]]:
        picked = set(self._table.picked)
        return [run for run in self._runs if run["run_id"] in picked]

    def _unpick(self) -> None:
        self._table.clear_picked()
        self._picked([])

    def _compare(self) -> None:
        self._page.go("/compare", runs=",".join(self._table.picked))

    async def _act(self, run_id: str, name: str) -> None:
        run = next((run for run in self._runs if run["run_id"] == run_id), None)
        if run is None:
            return
        if name == "retry":
            await run_actions.retry(self._page, run)
        elif name == "stop":
            run_actions.stop(self._page, run)
        else:
            run_actions.clone(self._page, run)

    def _choose_columns(self) -> None:
        known = sorted({*query.metric_names(self._runs), *self._wanted.metrics})
        window, content = widgets.dialog("Metrics as columns")
        chosen = set(self._wanted.metrics)

        async def go() -> None:
            window.close()
            await self._narrow(metrics=tuple(name for name in known if name in chosen))

        with content:
            if not known:
                widgets.paragraph("None of the runs shown here has logged a scalar metric.")
            for name in known:
                _checkbox(name, name in chosen, chosen)
            with ui.element("div").classes("sp-dialog-actions"):
                widgets.button("Cancel", window.close)
                if known:
                    widgets.button("Show", go, kind="primary")

    async def _fill_choices(self) -> None:
        """After the list is there: it does not wait for them."""
        for field, choice, key in (
            ("experiments", self._experiment, "experiment_id"),
            ("pipelines", self._pipeline, "pipeline_id"),
        ):
            asked = {"namespace": self._page.namespace, "page_size": "200", "sort_by": "created_at desc"}
            try:
                found = await self._page.api.get(f"/apis/v2beta1/{field}", asked)
            except ApiFailureError:
                continue
            options = [(each[key], each["display_name"]) for each in found.get(field, ())]
            choice.set_options([("", "Any"), *options])


def _any(value: str) -> list[tuple[str, str]]:
    """Before the names are known."""
    return [("", "Any"), *([(value, value[:8])] if value else [])]


def _range(pages: int, count: int, total: int, token: str) -> str:
    """How many there are, and which of them these are; of a page that was come upon by its address, only how many."""
    if pages == 1 and token:
        return f"{count} of {total:,} runs"
    first = (pages - 1) * query.PAGE_SIZE
    return f"{first + 1:,}–{first + count:,} of {total:,} runs"


def _checkbox(label: str, is_on: bool, chosen: set[str]) -> Element:
    with ui.element("label").classes("sp-check") as found:
        box = Element("input").props('type="checkbox"')
        if is_on:
            box.props("checked")
        box.on(
            "change",
            lambda event: chosen.add(label) if event.args else chosen.discard(label),
            js_handler="(event) => emit(event.target.checked)",
        )
        widgets.text(label)
    return found
