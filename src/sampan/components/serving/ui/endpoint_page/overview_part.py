"""How an endpoint does now and what it holds, where its requests go, how it is called, and its pods."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from nicegui import ui

from sampan.components.serving.api.kinds import (
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    SELDON_DEPLOYMENTS,
    TRAINED_MODELS,
)
from sampan.components.serving.api.summary import State
from sampan.components.serving.ui import places, states
from sampan.components.serving.ui.endpoint_page import drawn_graph, origin, pod_rows
from sampan.components.serving.ui.endpoint_page.call_card import CallCard
from sampan.components.serving.ui.endpoint_page.parts import Shown
from sampan.components.serving.ui.endpoint_page.traffic_card import TrafficCard
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.graph.view import GraphView
from sampan.ui.objects import amounts
from sampan.ui.table.table import Column, DataTable

_GRAPHS = (INFERENCE_GRAPHS.kind, SELDON_DEPLOYMENTS.kind)


class OverviewPart:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown
        self._figures: Any = None
        self._graph: GraphView | None = None
        self._traffic: TrafficCard | None = None
        self._columns: Sequence[Column] = pod_rows.COLUMNS

    async def build(self) -> None:
        shown = self._shown
        self._strip = ui.element("div").classes("sv-figures")
        self._origin = ui.element("div")
        if shown.endpoint.source:
            self._page.spawn(self._look_for_origin(), "origin of a model")
        if shown.endpoint.kind in _GRAPHS:
            self._graph = GraphView(label=f"Graph of {shown.endpoint.name}", on_select=self._open)
        with ui.element("div").classes("sv-halves sv-space"):
            if shown.endpoint.kind == INFERENCE_SERVICES.kind and shown.endpoint.is_knative:
                self._traffic = TrafficCard(self._page, shown)
            self._call = CallCard(shown)
        widgets.heading("Pods").classes("sv-space")
        if shown.endpoint.kind == TRAINED_MODELS.kind:
            widgets.paragraph(
                f"Those of {shown.endpoint.runtime}, which serves this model. Pods, figures and logs are of all its "
                "models together.",
                "sp-muted sv-lead",
            )
        self._pods = DataTable(self._columns, label="Pods")
        self._none = widgets.paragraph("", "sp-muted")
        self.update()

    def update(self) -> None:
        self._show_figures()
        shown = self._shown
        if self._graph is not None:
            self._graph.show(drawn_graph.of(shown.obj))
        if self._traffic is not None:
            self._traffic.update()
        self._call.update()
        columns = pod_rows.columns(shown.pods)
        if shown.pods and columns != self._columns:
            self._columns = columns
            self._pods.set_columns(columns)
        rows = [pod_rows.row(each, self._page.href) for each in shown.pods]
        self._pods.set_rows(rows)
        self._pods.set_visibility(bool(rows))
        self._none.set_visibility(not rows)
        self._none.set_text(_without_pods(shown))

    def _show_figures(self) -> None:
        told = figures(self._shown)
        if told == self._figures:
            return
        self._figures = told
        self._strip.clear()
        with self._strip:
            for name, value, more in told:
                with ui.element("div").classes("sv-figure"):
                    widgets.text(name, "sp-muted sp-small")
                    widgets.text(value, "sv-figure-value")
                    widgets.text(more, "sp-muted sp-small sv-figure-more")

    async def _look_for_origin(self) -> None:
        endpoint = self._shown.endpoint
        found = await origin.find(self._page.api, endpoint.namespace, endpoint.source)
        if found is None or self._origin.is_deleted:
            return
        with self._origin, ui.element("div").classes("sp-row sv-origin"):
            ui.icon("account_tree").props("aria-hidden=true")
            widgets.text("The model is the artifact", "sp-muted")
            widgets.link(found.name, self._page.href(found.artifact_page))
            if found.run:
                widgets.text("of the run", "sp-muted")
                widgets.link(found.run_name or found.run, self._page.href(found.run_page))

    def _open(self, node: str) -> None:
        """A node of a graph that is a service of ours."""
        service = drawn_graph.service_of(self._shown.obj, node)
        if service:
            self._page.go(places.endpoint(INFERENCE_SERVICES, self._shown.endpoint.namespace, service))

    def stop(self) -> None:
        """Nothing goes on by itself."""


def figures(shown: Shown) -> list[tuple[str, str, str]]:
    """A name, a value, and a word more. Pure."""
    found, endpoint = shown.figures, shown.endpoint
    p95 = "–" if found.p95_seconds is None else states.in_milliseconds(found.p95_seconds)
    failed = f"{found.failed} of {found.requests}" if found.requests else "–"
    pods = len([each for each in shown.pods if pod_rows.is_ready(each)])
    asleep = "asleep: the next request wakes it" if endpoint.state == State.ASLEEP and not pods else "ready"
    return [
        ("Requests a second", states.rate(found.requests_per_second), "last minute"),
        ("Latency, p95", p95, "last minute"),
        ("Failed", failed, "5xx answers"),
        ("Replicas", str(pods), asleep),
        ("Memory held", amounts.in_bytes(Decimal(int(found.memory))) if found.pods else "0", "now"),
        ("CPU used", f"{found.cores:.2g}" if found.pods else "0", "cores, now"),
    ]


def _without_pods(shown: Shown) -> str:
    match shown.endpoint.state:
        case State.ASLEEP:
            return "None: nobody has asked for a while. It costs nothing now, and the next request wakes it."
        case State.STOPPED:
            return "None: it is stopped."
        case _:
            return "It has no pods of its own now."
