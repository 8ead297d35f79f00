"""The pod of a step and its events, as the panel of the step shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from sampan.ui import widgets
from sampan.ui.api import ApiFailureError, segment
from sampan.ui.context import PageContext, Stop
from sampan.ui.objects import events
from sampan.ui.table.table import DataTable


def resources(container: Mapping[str, Any]) -> dict[str, str]:
    """What a container asks for, and the most that it may have, in Kubernetes' words. Pure."""
    given = container.get("resources", {})
    named = {"requests": "asked", "limits": "at most"}
    found: dict[str, list[str]] = {}
    for side, word in named.items():
        for name, amount in (given.get(side) or {}).items():
            found.setdefault(name, []).append(f"{amount} {word}")
    return {name: ", ".join(amounts) for name, amounts in found.items()}


def used(metrics: Mapping[str, Any]) -> dict[str, str]:
    """What it uses now, of an answer of the metrics API. Pure."""
    for container in metrics.get("containers", ()):
        if container.get("name") == "main":
            return {str(name): str(amount) for name, amount in container.get("usage", {}).items()}
    return {}


async def show(page: PageContext, pod_name: str) -> Stop:
    """What is known of a pod now, which may be gone; and its events, until what is returned is called."""
    asked = {"podname": pod_name, "podnamespace": page.namespace}
    with ui.element("div").classes("sp-row"):
        widgets.text("Pod", "sp-muted")
        widgets.link(pod_name, page.href(f"/cluster/pods/{segment(page.namespace)}/{segment(pod_name)}"))
    try:
        pod = await page.api.get("/k8s/pod", asked)
    except ApiFailureError as error:
        if error.status != 404:
            raise
        widgets.paragraph(
            "The pod is gone: pods of steps that have ended are removed after a while.", "sp-muted"
        )
        pod = None
    if pod is not None:
        await _details(page, pod)
    widgets.heading("Events", 3)
    table = DataTable(events.COLUMNS, label=f"Events of {pod_name}")
    none = widgets.paragraph("No events are kept of this pod.", "sp-muted")

    def take(found: Any) -> None:
        items = found.get("items", [])
        table.set_visibility(bool(items))
        none.set_visibility(not items)
        table.set_rows(events.rows(items))

    return await page.live("/k8s/pod/events", take, query=asked)


async def _details(page: PageContext, pod: Mapping[str, Any]) -> None:
    container = next(
        (each for each in pod["spec"].get("containers", ()) if each.get("name") == "main"),
        pod["spec"]["containers"][0],
    )
    name = pod["metadata"]["name"]
    try:
        path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{segment(page.namespace)}/pods/{segment(name)}"
        uses = used(await page.api.get(path))
    except ApiFailureError:
        # Only what runs is measured, and not in every cluster.
        uses = {}
    asked = resources(container)
    rows: dict[str, Any] = {
        "Phase": str(pod.get("status", {}).get("phase", "")),
        "Node": str(pod["spec"].get("nodeName", "")) or "none yet",
        "Image": str(container.get("image", "")),
        "Service account": str(pod["spec"].get("serviceAccountName", "")),
    }
    for each in sorted({*asked, *uses}):
        now = f"{uses[each]} used now" if each in uses else ""
        rows[each] = ", ".join(part for part in (asked.get(each, ""), now) if part)
    if not asked:
        rows["Resources"] = "nothing asked for, no limits"
    widgets.pairs(rows)
