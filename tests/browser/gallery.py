"""The toolkit's own elements on pages of their own, without a platform behind them: a program, for tests of elements.

Prints its address when it is ready. Pages stand in `PAGES`; what they show is made up.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from sampan.dashboard.mounting import Platform
from sampan.dashboard.serving import Serving
from sampan.lib.clock import SystemClock
from sampan.ui import widgets
from sampan.ui.charts.cartesian import Axes, bars
from sampan.ui.charts.chart import Chart
from sampan.ui.charts.figure import Figure, Series
from sampan.ui.context import PageContext
from sampan.ui.contract import Interface, Page
from sampan.ui.graph.model import Edge, Graph, Node
from sampan.ui.graph.view import GraphView
from sampan.ui.timeline.model import Row, Span, Timeline
from sampan.ui.timeline.view import TimelineView
from sampan.web.guards import User

_TONES = (("Succeeded", "ok"), ("Running", "busy"), ("Failed", "bad"), ("", ""))


def small(state: str = "Running", tone: str = "busy", more: bool = False) -> Graph:
    """Of each thing one."""
    nodes = [
        Node("load", "load-data", icon="terminal", state="Succeeded", tone="ok"),
        Node("data", "dataset", kind="artifact", icon="dataset"),
        Node("train", "train <b>model</b>", icon="terminal", state=state, tone=tone, badge="attempt 2"),
        Node("check", "condition-1", holds="condition", state="Skipped", tone="idle", counts={"idle": 2}),
        Node("deploy", "deploy", group="check", icon="terminal", state="Skipped", tone="idle"),
        Node("tell", "tell", group="check", icon="terminal", state="Skipped", tone="idle"),
        Node("each", "for each fold", holds="iterations", open=True, counts={"ok": 60, "busy": 60, "": 30}),
        *(
            Node(f"fold-{number}", f"fold {number}", group="each", holds="iteration", badge="1/1")
            for number in range(150)
        ),
        *(Node(f"step-{number}", "evaluate", group=f"fold-{number}") for number in range(150)),
    ]
    edges = [
        Edge("load", "data", "artifact", "dataset"),
        Edge("data", "train", "artifact", "dataset"),
        Edge("train", "check", "parameter", "accuracy"),
        Edge("deploy", "tell"),
        Edge("train", "each", "artifact", "model"),
    ]
    if more:
        nodes.append(Node("later", "later", state="Pending", tone="idle"))
        edges.append(Edge("check", "later"))
    return Graph(nodes, edges)


def large(count: int = 2000) -> Graph:
    """Layers of twenty, with edges to the next and the one after that."""
    nodes = [
        Node(f"n{each}", f"step-{each}", state=_TONES[each % 4][0], tone=_TONES[each % 4][1])
        for each in range(count)
    ]
    edges = [
        Edge(f"n{each}", f"n{each + step}")
        for each in range(count)
        for step in (20 + each * 7 % 3, 41)
        if each + step < count and (step == 20 or each % 5 == 0 or step < 41)
    ]
    return Graph(nodes, edges)


async def graph_page(page: PageContext) -> None:
    chosen = widgets.text("nothing chosen")
    view = GraphView(label="Steps", on_select=lambda key: chosen.set_text(f"chosen: {key or 'nothing'}"))
    view.show(large(int(page.query.get("count", "2000"))) if page.query.get("large") else small())
    with widgets.card():
        widgets.button("Succeed", lambda: view.show(small("Succeeded", "ok")))
        widgets.button("Grow", lambda: view.show(small(more=True)))
        widgets.button("Choose a step of fold 140", lambda: view.select("step-140"))


def times(count: int, grown: bool = False) -> Timeline:
    """Groups of ten that follow each other, of rows that wait, are prepared, run and sometimes fail first."""
    start = (round(time.time()) - 3600) * 1000
    rows: list[Row] = []
    for each in range(count):
        at = start + each * 3_000_000 // count
        if each % 10 == 0:
            group = f"g{each}"
            rows.append(
                Row(
                    group, f"group-{each}", icon="account_tree", spans=[Span("group", at, at + 500_000, "ok")]
                )
            )
            continue
        parts = [Span("queue", at, at + 20_000), Span("prepare", at + 20_000, at + 60_000)]
        if each % 7 == 0:
            parts += [
                Span("run", at + 60_000, at + 120_000, "bad", "attempt 1"),
                Span("queue", at + 120_000, at + 150_000),
            ]
            at += 90_000
        going = each % 10 == 9 and each > count - 10 and not grown
        parts.append(Span("run", at + 60_000, 0 if going else at + 300_000, "busy" if going else "ok"))
        word, tone = ("Running", "busy") if going else ("Succeeded", "ok")
        rows.append(
            Row(
                f"r{each}", f"step-{each}", group, state=word, tone=tone, spans=parts, critical=each % 10 == 3
            )
        )
    return Timeline(rows, start, 0)


async def timeline_page(page: PageContext) -> None:
    chosen = widgets.text("nothing chosen")
    count = int(page.query.get("count", "40"))
    view = TimelineView(label="Times", on_select=lambda key: chosen.set_text(f"chosen: {key or 'nothing'}"))
    view.show(times(count))
    with widgets.card():
        widgets.button("End it", lambda: view.show(times(count, grown=True)))
        widgets.button("Choose the last", lambda: view.select(f"r{count - 1}"))


def heights(number: int, word: str = "first") -> Figure:
    return bars(f"Chart {number}", [Series("Height", [number, 1])], [word, "other"], Axes(), height=600)


async def charts_page(page: PageContext) -> None:
    """More than a window has room for, one below the other."""
    charts: list[Chart] = []

    def change() -> None:
        for number, each in enumerate(charts):
            each.show(heights(number, "second"))

    widgets.button("Change all", change)
    for number in range(int(page.query.get("count", "6"))):
        with widgets.card():
            charts.append(Chart(heights(number)))


async def tabs_page(_page: PageContext) -> None:
    """A part that takes long to build, and one that does not."""

    async def choose(key: str) -> None:
        widgets.text(f"{key} begins, ")
        await asyncio.sleep(0.3 if key == "slow" else 0)
        widgets.text(f"{key} ends")
        ended.append(key)
        said.set_text(f"{len(ended)} ended")

    ended: list[str] = []
    said = widgets.text("")
    await widgets.Tabs({"first": "First", "slow": "Slow", "quick": "Quick"}, "first", choose).show()


PAGES = (
    Page("/graph", "Graph", graph_page),
    Page("/tabs", "Tabs", tabs_page),
    Page("/timeline", "Timeline", timeline_page),
    Page("/charts", "Charts", charts_page),
)


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


class _SignedIn:
    """What the guards do: everybody is the same user."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        scope["state"] = {**scope.get("state", {}), "user": User("someone")}
        path = scope["path"]
        await self._app({**scope, "root_path": "/ui", "path": path}, receive, send)


async def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        platform = Platform(SystemClock(), lambda: 0, (), "0", home, "")
        serving = Serving(platform, _nothing, [Interface(pages=PAGES)])
        await serving.start()
        server = uvicorn.Server(
            uvicorn.Config(_SignedIn(serving.app), port=0, log_level="warning", lifespan="off")
        )
        running = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.02)
        port: Any = server.servers[0].sockets[0].getsockname()[1]
        print(f"http://127.0.0.1:{port}/ui", flush=True)
        await running


if __name__ == "__main__":
    asyncio.run(main())
