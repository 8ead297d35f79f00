"""All runs of a namespace."""

from __future__ import annotations

from typing import Any

from sampan.components.pipelines.ui.states import shown
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row

_COLUMNS = (
    Column("name", "Name", sort="name"),
    Column("state", "State", sort="state"),
    Column("duration", "Duration"),
    Column("created", "Started", sort="created_at"),
)


async def build(page: PageContext) -> None:
    widgets.page_header("Runs")
    table = DataTable(_COLUMNS, label="Runs")

    def show(found: Any) -> None:
        table.set_rows([row(run, page) for run in found.get("runs", ())])

    query = {"page_size": "50", "sort_by": "created_at desc", "namespace": page.namespace}
    await page.live("/apis/v2beta1/runs", show, query=query)


def row(run: Any, page: PageContext) -> Row:
    text, tone, icon = shown(run.get("state", ""))
    return Row(
        run["run_id"],
        {
            "name": cells.link(run["display_name"], page.href(f"/runs/{run['run_id']}")),
            "state": cells.state(text, tone, icon, title=(run.get("error") or {}).get("message", "")),
            "duration": cells.duration(run["created_at"], run.get("finished_at", "")),
            "created": cells.time(run["created_at"]),
        },
        name=run["display_name"],
    )
