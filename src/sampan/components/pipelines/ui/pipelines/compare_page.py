"""Two versions of a pipeline: what changed between them, in words, and their YAML line by line."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from nicegui import ui

from sampan.components.pipelines.ui.graph_model import blueprint_of, graph_of
from sampan.components.pipelines.ui.spec import reading
from sampan.components.pipelines.ui.spec.changes import (
    ADDED,
    REMOVED,
    Change,
    Difference,
    changes,
    marks,
    summary,
)
from sampan.components.pipelines.ui.spec.reading import Spec
from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.code import diff
from sampan.ui.code.view import DiffView
from sampan.ui.context import PageContext
from sampan.ui.forms.fields import About, ChoiceField
from sampan.ui.graph.model import Graph, Node
from sampan.ui.graph.view import GraphView

_API = "/apis/v2beta1"
_TABS = {"words": "What changed", "graph": "Graph", "yaml": "YAML"}
_TONES = {ADDED: ("ok", "add_circle"), REMOVED: ("bad", "remove_circle")}
_LAYOUT = "version layout"
"""The preference that holds whether YAML is shown side by side."""


class _Compare:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._path = f"{_API}/pipelines/{segment(page.params['pipeline_id'])}"
        self._before: Any = None
        self._after: Any = None

    async def build(self) -> None:
        page = self._page
        pipeline, listed = await asyncio.gather(
            page.api.get(self._path),
            page.api.get(
                f"{self._path}/versions", {"view": "BASIC", "page_size": "200", "sort_by": "created_at desc"}
            ),
        )
        versions = listed.get("pipeline_versions", ())
        above = f"/pipelines/{segment(page.params['pipeline_id'])}"
        page.set_title("Compare versions", [("Pipelines", "/pipelines"), (pipeline["display_name"], above)])
        widgets.page_header("Compare versions", f"Versions of {pipeline['display_name']}")
        if len(versions) < 2:
            upload = page.href("/pipelines/upload", pipeline=page.params["pipeline_id"])
            detail = "This pipeline has one version. Upload another to see what changed."
            widgets.empty_state("difference", "Nothing to compare yet", detail, [("Upload version", upload)])
            return
        self._build_pickers(versions)
        self._body = ui.element("div")
        await self._show()

    def _build_pickers(self, versions: Sequence[Any]) -> None:
        options = [(each["pipeline_version_id"], each["display_name"]) for each in versions]
        before, after = chosen([key for key, _ in options], self._page.query)
        with ui.element("div").classes("sp-list-tools"):
            self._from = ChoiceField(About("from", "Before"), options, before, change=self._change)
            widgets.icon_button("swap_horiz", "Swap the versions", self._swap)
            self._to = ChoiceField(About("to", "After"), options, after, change=self._change)

    async def _swap(self) -> None:
        before, after = self._from.raw, self._to.raw
        self._from.put(after)
        self._to.put(before)
        await self._change()

    async def _change(self) -> None:
        self._page.set_query(**{"from": self._from.raw, "to": self._to.raw})
        await self._show()

    async def _show(self) -> None:
        read = [
            self._page.api.get(f"{self._path}/versions/{segment(each.raw)}")
            for each in (self._from, self._to)
        ]
        self._before, self._after = await asyncio.gather(*read)
        self._body.clear()
        with self._body:
            self._tabs = widgets.Tabs(_TABS, self._page.query.get("tab", ""), self._choose)
            await self._tabs.show()

    async def _choose(self, key: str) -> None:
        self._page.set_query(tab="" if key == "words" else key)
        if key == "words":
            found = await asyncio.to_thread(
                _changes, self._before["pipeline_spec"], self._after["pipeline_spec"]
            )
            _build_words(found)
        elif key == "graph":
            await self._build_graph()
        else:
            await self._build_yaml()

    async def _build_graph(self) -> None:
        before, after = self._before["pipeline_spec"], self._after["pipeline_spec"]
        found = marks(await asyncio.to_thread(_changes, before, after))
        plan = await asyncio.to_thread(blueprint_of, after)
        if plan.problem:
            widgets.empty_state("account_tree", "This cannot be drawn", plan.problem)
            return
        graph = await asyncio.to_thread(graph_of, plan)
        gone = [path for path, how in found.items() if how == REMOVED]
        if gone:
            widgets.paragraph(f"No longer there: {', '.join(gone)}", "sp-described")
        view = GraphView(label=f"Tasks of {self._after['display_name']}, with what changed")
        view.show(marked(graph, found))

    async def _build_yaml(self) -> None:
        found = await asyncio.to_thread(
            _yaml_rows, self._before["pipeline_spec"], self._after["pipeline_spec"]
        )
        if not found:
            _say_same()
            return
        come, gone = diff.counts(found)
        is_split = bool(self._page.preference(_LAYOUT, True))

        async def lay_out() -> None:
            view.split(layout.raw == "split")
            await self._page.keep_preference(_LAYOUT, layout.raw == "split")

        with ui.element("div").classes("sp-list-tools"):
            layout = ChoiceField(
                About("layout", "Layout"),
                [("split", "Side by side"), ("unified", "Unified")],
                "split" if is_split else "unified",
                segments=True,
                change=lay_out,
            )
            widgets.text(f"{come} lines added, {gone} removed", "sp-muted")
        view = DiffView(found, label="Differences of the YAML", is_split=is_split)


def chosen(newest_first: Sequence[str], query: Any) -> tuple[str, str]:
    """The two that are compared: those that the address names; else the newest, and the one before the other."""
    before, after = (
        query.get(key, "") if query.get(key, "") in newest_first else "" for key in ("from", "to")
    )
    if not after:
        after = next(each for each in newest_first if each != before)
    if not before or before == after:
        at = newest_first.index(after)
        before = newest_first[at + 1] if at + 1 < len(newest_first) else newest_first[at - 1]
    return before, after


def marked(graph: Graph, found: Mapping[str, str]) -> Graph:
    """With a word at each task that is not as it was; groups that hold one are open."""
    holding = {path.rpartition("/")[0] for path in found}
    holding |= {
        "/".join(path.split("/")[:depth]) for path in holding for depth in range(1, path.count("/") + 1)
    }

    def mark(node: Node) -> Node:
        how = found.get(node.id, "")
        tone = _TONES.get(how, ("busy", ""))[0] if how else ""
        is_open = node.open or node.id in holding
        return msgspec.structs.replace(node, state=how.capitalize(), tone=tone, open=is_open)

    return msgspec.structs.replace(graph, nodes=[mark(node) for node in graph.nodes])


def _specs(before: Any, after: Any) -> tuple[Spec, Spec]:
    return reading.read(before), reading.read(after)


def _changes(before: Any, after: Any) -> list[Change]:
    return changes(*_specs(before, after))


def _yaml_rows(before: Any, after: Any) -> list[diff.Row]:
    return diff.rows(reading.as_yaml(before), reading.as_yaml(after))


def _say_same() -> None:
    widgets.empty_state("done_all", "No difference", "Both versions say exactly the same.")


def _build_words(found: Sequence[Change]) -> None:
    if not found:
        _say_same()
        return
    widgets.paragraph(_sentence(summary(found)), "sp-described")
    with ui.element("div").classes("sp-changes"):
        for change in found:
            _build_change(change)


def _build_change(change: Change) -> None:
    tone, icon = _TONES.get(change.how, ("busy", "edit"))
    with widgets.card().classes("sp-change"):
        with ui.element("div").classes("sp-change-head"):
            widgets.state(change.how.capitalize(), tone, icon)
            widgets.text(change.what, "sp-muted")
            widgets.heading(change.name)
        short = [each for each in change.differences if not _is_long(each)]
        if short:
            with ui.element("ul"):
                for each in short:
                    widgets.Text("li", each.text)
        for each in change.differences:
            if _is_long(each):
                widgets.heading(each.text, 3)
                DiffView(diff.rows(each.before, each.after), label=f"{each.text} of {change.name}")


def _is_long(each: Difference) -> bool:
    return bool(each.before or each.after)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


async def build(page: PageContext) -> None:
    await _Compare(page).build()
