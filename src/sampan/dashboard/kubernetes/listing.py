"""All objects of a kind: what `kubectl get` shows, kept current, to look through and to delete from."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from nicegui import ui
from nicegui.element import Element

from sampan.dashboard.kubernetes import fields, kinds, tables
from sampan.dashboard.kubernetes.kinds import Catalogue, Kind
from sampan.dashboard.kubernetes.tables import Found, Line
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext, Stop
from sampan.ui.table.table import DataTable

_PAGE_ROWS = 250
"""Asked for at once. What sorts and filters by text sees these only; the label selector is the server's."""
_MOST_NAMES_SHOWN = 12
_GONE = 410


async def build(page: PageContext) -> None:
    catalogue = await kinds.find(page.api)
    kind = catalogue.lookup(page.params["kind"])
    if kind is None:
        tell_unknown(page)
    else:
        await _List(page, catalogue, kind).build()


def tell_unknown(page: PageContext) -> None:
    """In place of a page of a kind that the cluster has not."""
    widgets.empty_state(
        "category",
        "The cluster has no such kind",
        f"{page.params['kind']} is not among what its API serves.",
        [("All kinds", page.href("/cluster/kinds"))],
        command="kubectl api-resources",
    )


class _List:
    def __init__(self, page: PageContext, catalogue: Catalogue, kind: Kind) -> None:
        self._page = page
        self._catalogue = catalogue
        self._kind = kind
        self._found = Found((), ())
        self._wide = False
        self._table: DataTable
        self._columns: Any = None
        self._stop: Stop | None = None

    @property
    def _is_everywhere(self) -> bool:
        return self._kind.namespaced and bool(self._page.query.get("all"))

    async def build(self) -> None:
        page, kind = self._page, self._kind
        page.set_title(kind.label)
        with widgets.page_header(kind.label, self._subtitle()):
            self._delete = widgets.button("Delete", self._ask_to_delete, icon="delete", kind="danger")
            widgets.button("Create from YAML", icon="add", href=page.href("/cluster/apply", kind=kind.key))
        widgets.set_enabled(self._delete, False, "Pick what to delete first")
        self._build_filters()
        self._place = ui.element("div")
        with self._place:
            self._table = DataTable(
                (),
                label=kind.label,
                pick=self._picked if "delete" in kind.verbs else None,
                on_sort=self._sort,
                order=(page.query.get("sort", ""), bool(page.query.get("desc"))),
            )
        self._empty = ui.element("div")
        self._pager = ui.element("div").classes("sp-pager")
        await self._follow()

    def _subtitle(self) -> str:
        kind = self._kind
        meaning = kinds.MEANINGS.get(kind.key) or f"Objects of kind {kind.kind}, {kind.api_version}."
        return meaning if kind.namespaced else f"{meaning} They belong to no namespace."

    def _build_filters(self) -> None:
        page, kind = self._page, self._kind
        groups = [
            (title, {each.key: each.label for each in found}) for title, found in self._catalogue.groups()
        ]
        with ui.element("div").classes("kc-filters"):
            fields.choice("Kind", groups, kind.key, self._choose_kind)
            fields.text_box("Filter", page.query.get("q", ""), self._filter, hint="Filter by any text")
            fields.text_box(
                "Label selector",
                page.query.get("labels", ""),
                self._select,
                hint="Labels: app=web, tier!=test",
                typing=False,
            )
            if kind.namespaced:
                fields.tick("All namespaces", self._is_everywhere, self._everywhere)
            fields.tick("More columns", False, self._widen)

    async def _follow(self) -> None:
        """Asks anew, as the address says."""
        if self._stop is not None:
            self._stop()
        page = self._page
        namespace = "" if self._is_everywhere else page.namespace
        query = {"limit": str(_PAGE_ROWS)}
        if labels := page.query.get("labels"):
            query["labelSelector"] = labels
        if start := page.query.get("from"):
            query["continue"] = start
        path = self._kind.path(namespace)
        try:
            self._stop = await page.live(path, self._take, query=query, accept=tables.TABLE)
        except ApiFailureError as error:
            if error.status == _GONE and page.query.get("from"):
                # A place in a list is kept for some minutes only.
                page.set_query(**{"from": ""})
                await self._follow()
                return
            self._table.set_rows([])
            self._place.set_visibility(False)
            self._pager.clear()
            self._empty.clear()
            with self._empty:
                widgets.failure(error, retry=self._follow)

    def _take(self, answer: Any) -> None:
        self._found = tables.read(answer)
        self._show()

    def _show(self) -> None:
        page, found = self._page, self._found
        columns = tables.columns(found, wide=self._wide, namespaces=self._is_everywhere)
        if columns != self._columns:
            self._columns = columns
            self._table.set_columns(columns)
        lines = tables.matching(found.lines, page.query.get("q", ""))
        by, descending = page.query.get("sort", ""), bool(page.query.get("desc"))
        if not by and self._kind.kind == "Event":
            # The latest matters most.
            lines = sorted(lines, key=lambda line: line.created, reverse=True)
        else:
            lines = tables.in_order(lines, by, descending=descending)
        of_event = self._about_href if self._kind.kind == "Event" else None
        self._table.set_rows([tables.row(line, self._href, of_event) for line in lines])
        self._place.set_visibility(bool(lines))
        self._show_empty(bool(lines))
        self._show_pager(len(lines))

    def _href(self, line: Line) -> str:
        return self._page.href(self._kind.page(line.namespace, line.name))

    def _about_href(self, about: str, namespace: str) -> str:
        """Of what an event is about, as its table tells it."""
        kind_name, _, name = about.partition("/")
        kind = self._catalogue.lookup(kind_name)
        return self._page.href(kind.page(namespace, name)) if kind is not None and name else ""

    def _show_empty(self, has_lines: bool) -> None:
        self._empty.clear()
        if has_lines:
            return
        page, kind = self._page, self._kind
        kept = {"all": page.query.get("all", "")}
        if any(page.query.get(each) for each in ("q", "labels", "from")):
            links = [("Clear the filters", page.href(page.path, **kept))]
            title, detail = "Nothing matches", "No object of this kind is as the filters ask."
        else:
            where = (
                " in any namespace"
                if self._is_everywhere
                else f" in {page.namespace}"
                if kind.namespaced
                else ""
            )
            title, detail = f"No {kind.label.lower()}{where}", "What is made appears here at once."
            links = [("Create from YAML", page.href("/cluster/apply", kind=kind.key))]
            if kind.namespaced and not self._is_everywhere:
                links.append(("Look in all namespaces", page.href(page.path, all="1")))
        with self._empty:
            widgets.empty_state("inbox", title, detail, links)

    def _show_pager(self, shown: int) -> None:
        found, page = self._found, self._page
        is_later = bool(page.query.get("from"))
        self._pager.clear()
        if not shown and not is_later:
            return
        total = len(found.lines)
        is_all = not (is_later or found.continues)
        text = (
            f"{shown} of {total} shown"
            if shown != total
            else f"{total} in all"
            if is_all
            else f"{total} shown"
        )
        if found.continues:
            text += f"; {found.left:,} more follow" if found.left else "; more follow"
        with self._pager:
            widgets.text(text)
            if is_later:
                widgets.button("First page", lambda: self._turn(""), icon="first_page")
            if found.continues:
                widgets.button("Next page", lambda: self._turn(found.continues), icon="chevron_right")

    async def _turn(self, start: str) -> None:
        self._page.set_query(**{"from": start})
        await self._follow()

    def _choose_kind(self, key: str) -> None:
        self._page.go(f"/cluster/{key}", all=self._page.query.get("all", ""))

    def _filter(self, text: str) -> None:
        self._page.set_query(q=text.strip())
        self._show()

    async def _select(self, labels: str) -> None:
        self._page.set_query(labels=labels.strip(), **{"from": ""})
        await self._follow()

    async def _everywhere(self, on: bool) -> None:
        self._page.set_query(all="1" if on else "", **{"from": ""})
        self._table.clear_picked()
        await self._follow()

    def _widen(self, on: bool) -> None:
        self._wide = on
        self._show()

    def _sort(self, by: str, descending: bool) -> None:
        self._page.set_query(sort=by, desc="1" if descending else "")
        self._show()

    def _picked(self, ids: list[str]) -> None:
        count = len(ids)
        widgets.set_enabled(self._delete, bool(count), "Pick what to delete first")

    def _ask_to_delete(self) -> None:
        picked = [line for line in self._found.lines if line.id in set(self._table.picked)]
        if not picked:
            return
        lost = [
            f"{self._kind.kind} {_named(line, self._is_everywhere)}" for line in picked[:_MOST_NAMES_SHOWN]
        ]
        if len(picked) > _MOST_NAMES_SHOWN:
            lost.append(f"and {len(picked) - _MOST_NAMES_SHOWN} more")
        lost.append(WITH_THEM.get(self._kind.kind, "Whatever belongs to them goes with them."))
        what = f"{len(picked)} objects" if len(picked) > 1 else f"{self._kind.kind} {picked[0].name}"

        async def delete() -> None:
            await self._delete_all(picked)

        widgets.confirm(f"Delete {what}?", lost, delete, label="Delete")

    async def _delete_all(self, picked: list[Line]) -> None:
        api, kind = self._page.api, self._kind

        async def one(line: Line) -> ApiFailureError | None:
            try:
                await api.delete(kind.path(line.namespace, line.name), DELETE_QUERY)
            except ApiFailureError as error:
                return error
            return None

        answers: list[ApiFailureError | None] = []
        for start in range(0, len(picked), 10):
            answers += await asyncio.gather(*(one(line) for line in picked[start : start + 10]))
        failed = [(line, error) for line, error in zip(picked, answers, strict=True) if error is not None]
        self._table.clear_picked()
        self._picked([])

        async def tell() -> None:
            if failed:
                text = "\n".join(
                    f"{line.name}: {error.message}" for line, error in failed[:_MOST_NAMES_SHOWN]
                )
                raise ApiFailureError(failed[0][1].status, f"{len(failed)} could not be deleted.\n{text}")

        done = len(picked) - len(failed)
        await self._page.attempt(
            tell(), done=f"{done} deleted." if done > 1 else f"{picked[0].name} deleted."
        )


DELETE_QUERY: Mapping[str, str] = {"propagationPolicy": "Background"}

WITH_THEM: Mapping[str, str] = {
    "Pod": "Their logs. A pod that belongs to a Deployment or a Job is made again by it.",
    "Namespace": "Everything in them.",
    "PersistentVolumeClaim": "The data on their volumes, unless the storage class keeps it.",
    "PersistentVolume": "The data on them, unless it is kept elsewhere.",
    "Secret": "Their values. Pods that need them will not start.",
    "ConfigMap": "Their values. Pods that need them will not start.",
    "Node": "What the cluster knows of them; pods there are moved or lost.",
    "CustomResourceDefinition": "All objects of these kinds.",
    "Event": "Nothing else.",
}
"""What is lost beside the objects themselves, by kind."""


def _named(line: Line, with_namespace: bool) -> str:
    return f"{line.namespace}/{line.name}" if with_namespace and line.namespace else line.name


def kind_links(place: Element, catalogue: Catalogue, page: PageContext, text: str) -> None:
    """All kinds whose names say `text`, as links, by group."""
    place.clear()
    words = text.lower().split()
    with place:
        some = False
        for title, found in catalogue.groups():
            fitting = [each for each in found if all(word in _said(each) for word in words)]
            if not fitting:
                continue
            some = True
            with widgets.card(title), ui.element("ul").classes("kc-kinds"):
                for each in fitting:
                    with ui.element("li"):
                        widgets.link(each.label, page.href(each.page()))
                        widgets.text(each.key, "sp-muted sp-small sp-mono")
        if not some:
            widgets.empty_state("search_off", "No kind is called that", f"Nothing matches {text}.")


def _said(kind: Kind) -> str:
    return " ".join((kind.key, kind.kind, kind.label, kind.group, *kind.short_names)).lower()


async def build_kinds(page: PageContext) -> None:
    catalogue = await kinds.find(page.api)
    widgets.page_header("All kinds", "Everything that the cluster's API serves, custom resources too.")
    with ui.element("div").classes("kc-filters"):
        fields.text_box("Filter", page.query.get("q", ""), lambda text: show(text), hint="Search kinds")
    place = ui.element("div").classes("sp-grid")

    def show(text: str) -> None:
        page.set_query(q=text)
        kind_links(place, catalogue, page, text)

    kind_links(place, catalogue, page, page.query.get("q", ""))
