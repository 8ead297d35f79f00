"""The cluster at a glance: what is not well and why, nodes, how much there is of everything, recent warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from nicegui import ui

from sampan.dashboard.kubernetes import fields, kinds
from sampan.dashboard.kubernetes.kinds import Catalogue
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext
from sampan.ui.objects import amounts, health
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row

_MOST_OBJECTS = "500"
_MOST_SHOWN = 50
_MOST_WARNINGS = 15
_WATCHED = ("deployments", "statefulsets", "daemonsets", "jobs", "persistentvolumeclaims")
"""Beside pods and nodes: kinds of which the unhealthy ones are shown."""
_COUNTED = (
    "pods",
    "deployments",
    "statefulsets",
    "jobs",
    "cronjobs",
    "services",
    "configmaps",
    "secrets",
    "persistentvolumeclaims",
)

_SHORT = {"persistentvolumeclaims": "Volume claims"}
_TROUBLE = (Column("object", "What"), Column("state", "State"), Column("why", "Why, and what to do"))
_NODES = (
    Column("name", "Node"),
    Column("state", "State"),
    Column("cpu", "CPU asked for"),
    Column("memory", "Memory asked for"),
    Column("pods", "Pods"),
    Column("version", "Kubelet"),
)
_WARNINGS = (
    Column("when", "Last seen"),
    Column("object", "Object"),
    Column("reason", "Reason"),
    Column("message", "Message"),
)


async def build(page: PageContext) -> None:
    await _Overview(page, await kinds.find(page.api)).build()


class _Overview:
    """Parts come each from a live answer; troubles from several, put together."""

    def __init__(self, page: PageContext, catalogue: Catalogue) -> None:
        self._page = page
        self._catalogue = catalogue
        self._objects: dict[str, Sequence[Any]] = {}
        self._nodes: Sequence[Any] = ()

    @property
    def _namespace(self) -> str:
        return "" if self._page.query.get("all") else self._page.namespace

    async def build(self) -> None:
        page = self._page
        where = "All namespaces" if not self._namespace else f"Namespace {page.namespace}"
        with widgets.page_header("Cluster", where):
            widgets.button("Create from YAML", icon="add", href=page.href("/cluster/apply"))
            widgets.button("All kinds", icon="category", href=page.href("/cluster/kinds"))
        with ui.element("div").classes("kc-filters"):
            fields.tick(
                "All namespaces",
                not self._namespace,
                lambda on: page.go("/cluster", all="1" if on else ""),
            )
        with ui.element("div").classes("sp-stack"):
            with widgets.card("Needs attention"):
                self._well = widgets.paragraph("Everything is well.", "sp-muted")
                self._trouble = DataTable(_TROUBLE, label="Needs attention")
            self._counts = ui.element("div").classes("kc-counts")
            with widgets.card("Nodes") as self._nodes_card:
                self._node_table = DataTable(_NODES, label="Nodes")
            with widgets.card("Recent warnings"):
                self._quiet = widgets.paragraph("None are kept.", "sp-muted")
                self._warnings = DataTable(_WARNINGS, label="Recent warnings")
            every = "" if self._namespace else "1"
            widgets.link("All events", page.href("/cluster/events", all=every))
        await self._follow()

    async def _follow(self) -> None:
        await self._live("nodes", self._take_nodes)
        pods = {"fieldSelector": "status.phase!=Succeeded"}
        await self._live("pods", lambda found: self._take("pods", found), pods)
        for plural in _WATCHED:
            await self._live(plural, lambda found, plural=plural: self._take(plural, found))
        await self._live("events", self._take_warnings, {"fieldSelector": "type=Warning"})
        await self._follow_counts()

    async def _live(self, plural: str, take: Any, query: Mapping[str, str] | None = None) -> None:
        kind = self._catalogue.lookup(plural)
        if kind is None:
            return
        namespace = self._namespace if kind.namespaced else ""
        try:
            await self._page.live(kind.path(namespace), take, query={"limit": _MOST_OBJECTS, **(query or {})})
        except ApiFailureError as error:
            # Whoever may not see nodes sees the rest.
            if error.status != 403:
                raise
            take({"items": []})

    def _take(self, plural: str, found: Any) -> None:
        self._objects[plural] = _typed(found)
        self._show_trouble()

    def _take_nodes(self, found: Any) -> None:
        self._nodes = _typed(found)
        self._nodes_card.set_visibility(bool(self._nodes))
        self._show_trouble()
        self._show_nodes()

    def _show_trouble(self) -> None:
        every = [*self._nodes, *(each for found in self._objects.values() for each in found)]
        troubled = health.troubled(every, self._nodes)
        self._well.set_visibility(not troubled)
        self._trouble.set_visibility(bool(troubled))
        self._trouble.set_rows([self._trouble_row(*each) for each in troubled[:_MOST_SHOWN]])
        self._show_nodes()

    def _trouble_row(self, obj: Any, found: health.Health) -> Row:
        metadata = obj["metadata"]
        kind = self._catalogue.of(obj["apiVersion"], obj["kind"])
        namespace, name = metadata.get("namespace") or "", metadata["name"]
        path = kind.page(namespace, name) if kind is not None else "/cluster"
        second = kinds.spaced(obj["kind"]) + (f" in {namespace}" if namespace and not self._namespace else "")
        return Row(
            metadata.get("uid") or f"{obj['kind']}/{namespace}/{name}",
            {
                "object": cells.link(name, self._page.href(path), second=second),
                "state": cells.state(found.word, found.tone),
                "why": cells.lines(found.why, found.hint),
            },
            name=name,
        )

    def _show_nodes(self) -> None:
        pods = self._objects.get("pods", ())
        shown = []
        for node in self._nodes:
            name = node["metadata"]["name"]
            here = [
                each["spec"]
                for each in pods
                if (each.get("spec") or {}).get("nodeName") == name
                and (each.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
            ]
            shown.append(node_row(node, here, self._page.href(f"/cluster/nodes/{name}")))
        self._node_table.set_rows(shown)

    def _take_warnings(self, found: Any) -> None:
        events = latest(found.get("items") or ())[:_MOST_WARNINGS]
        self._quiet.set_visibility(not events)
        self._warnings.set_visibility(bool(events))
        self._warnings.set_rows([warning_row(each, self._catalogue, self._page) for each in events])

    async def _follow_counts(self) -> None:
        """One object of each kind is asked for: with it the API says how many more there are."""
        every = "" if self._namespace else "1"
        for key in _COUNTED:
            kind = self._catalogue.kinds.get(key)
            if kind is None:
                continue
            with (
                self._counts,
                widgets.link("", self._page.href(kind.page(), all=every)).classes("kc-count") as tile,
            ):
                number = widgets.text("", "kc-number")
                widgets.text(_SHORT.get(key, kind.label))
            try:
                await self._page.live(
                    kind.path(self._namespace),
                    partial(_show_count, number),
                    query={"limit": "1"},
                )
            except ApiFailureError:
                # What one may not see is not counted.
                tile.delete()


def _show_count(number: widgets.Text, found: Any) -> None:
    number.set_text(f"{count(found):,}")


def count(found: Mapping[str, Any]) -> int:
    """Of an answer to a list of one. Pure."""
    return len(found.get("items") or ()) + ((found.get("metadata") or {}).get("remainingItemCount") or 0)


def _typed(found: Any) -> list[Any]:
    """Items of a list say themselves what they are: lists of built-in kinds say it once."""
    kind, version = str(found.get("kind") or "").removesuffix("List"), found.get("apiVersion") or ""
    return [{"kind": kind, "apiVersion": version, **item} for item in found.get("items") or ()]


def node_row(node: Any, specs: Sequence[Any], href: str) -> Row:
    """`specs` are those of the pods on it that have not ended."""
    found = health.of(node) or health.Health("idle", "Unknown")
    status = node.get("status") or {}
    room = status.get("allocatable") or status.get("capacity") or {}
    asked = [health.requests(spec) for spec in specs]

    def part(resource: str) -> Any:
        most = amounts.parsed(room.get(resource))
        used = sum((each.get(resource, amounts.parsed(0)) for each in asked), amounts.parsed(0))
        text = f"{amounts.shown(resource, used)} of {amounts.shown(resource, most)}"
        return cells.bar(float(used / most) if most else 0.0, text)

    most_pods = int(amounts.parsed(room.get("pods")))
    name = node["metadata"]["name"]
    return Row(
        name,
        {
            "name": cells.link(name, href),
            "state": cells.state(found.word, found.tone, title=found.why),
            "cpu": part("cpu"),
            "memory": part("memory"),
            "pods": cells.bar(len(specs) / most_pods if most_pods else 0.0, f"{len(specs)} of {most_pods:,}"),
            "version": (status.get("nodeInfo") or {}).get("kubeletVersion", ""),
        },
        name=name,
    )


def event_time(event: Mapping[str, Any]) -> str:
    series = event.get("series") or {}
    return str(
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp")
        or ""
    )


def latest(events: Sequence[Any]) -> list[Any]:
    """The newest first; of those that say the same of the same object only the newest. Pure."""
    found: dict[tuple[Any, ...], Any] = {}
    for event in sorted(events, key=event_time, reverse=True):
        about = event.get("involvedObject") or event.get("regarding") or {}
        key = (about.get("kind"), about.get("namespace"), about.get("name"), event.get("reason"))
        found.setdefault(key, event)
    return list(found.values())


def warning_row(event: Mapping[str, Any], catalogue: Catalogue, page: PageContext) -> Row:
    about = event.get("involvedObject") or event.get("regarding") or {}
    kind = catalogue.of(about.get("apiVersion") or "v1", about.get("kind") or "")
    name, second = about.get("name") or "", kinds.spaced(about.get("kind") or "")
    times = (event.get("series") or {}).get("count") or event.get("count") or 1
    what: Any = cells.lines(name, second)
    if kind is not None and name:
        what = cells.link(name, page.href(kind.page(about.get("namespace") or "", name)), second=second)
    message = str(event.get("message") or event.get("note") or "")
    return Row(
        event["metadata"].get("uid") or event["metadata"]["name"],
        {
            "when": cells.time(event_time(event)),
            "object": what,
            "reason": event.get("reason") or "",
            "message": cells.lines(message, f"{times} times" if times > 1 else ""),
        },
        name=f"{event.get('reason')} {name}",
    )
