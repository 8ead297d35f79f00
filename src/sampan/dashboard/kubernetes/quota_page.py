"""What namespaces may use and use, what each container is given by default, and the room of each node."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from sampan.dashboard.kubernetes import fields, kinds, overview, quotas
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext
from sampan.ui.table.table import Column, DataTable

_NODES = (
    Column("name", "Node"),
    Column("state", "State"),
    Column("cpu", "CPU asked for"),
    Column("memory", "Memory asked for"),
    Column("pods", "Pods"),
)


async def build(page: PageContext) -> None:
    catalogue = await kinds.find(page.api)
    is_everywhere = bool(page.query.get("all"))
    namespace = "" if is_everywhere else page.namespace
    widgets.page_header("Quota", "What may be used, what is used, and what there is.")
    with ui.element("div").classes("kc-filters"):
        fields.tick(
            "All namespaces", is_everywhere, lambda on: page.go("/cluster/quota", all="1" if on else "")
        )
    with ui.element("div").classes("sp-stack"):
        with widgets.card("Used of what is allowed"):
            no_quotas = widgets.paragraph(
                "No resource quota limits "
                + ("any namespace." if is_everywhere else f"the namespace {namespace}."),
                "sp-muted",
            )
            used = DataTable(
                _with_namespace(quotas.QUOTA_COLUMNS, is_everywhere), label="Used of what is allowed"
            )
        with widgets.card("For each container"):
            no_limits = widgets.paragraph("No limit range sets defaults or bounds.", "sp-muted")
            limits = DataTable(
                _with_namespace(quotas.LIMIT_COLUMNS, is_everywhere), label="For each container"
            )
        with widgets.card("Nodes") as nodes_card:
            nodes = DataTable(_NODES, label="Nodes")
        widgets.link("Create a resource quota from YAML", page.href("/cluster/apply", kind="resourcequotas"))
    found_nodes: list[Any] = []
    found_pods: list[Any] = []

    def show_quotas(found: Any) -> None:
        items = found.get("items") or ()
        rows = [row for each in items for row in quotas.quota_rows(each, page.href, named=True)]
        used.set_rows(rows)
        used.set_visibility(bool(rows))
        no_quotas.set_visibility(not rows)

    def show_limits(found: Any) -> None:
        rows = [row for each in found.get("items") or () for row in quotas.limit_rows(each, page.href)]
        limits.set_rows(rows)
        limits.set_visibility(bool(rows))
        no_limits.set_visibility(not rows)

    def show_nodes() -> None:
        specs: dict[str, list[Any]] = {}
        for pod in found_pods:
            specs.setdefault((pod.get("spec") or {}).get("nodeName") or "", []).append(pod["spec"])
        nodes.set_rows(
            [
                overview.node_row(node, specs.get(node["metadata"]["name"], ()), _node_href(page, node))
                for node in found_nodes
            ]
        )
        nodes_card.set_visibility(bool(found_nodes))

    def take_nodes(found: Any) -> None:
        found_nodes[:] = [{**each, "kind": "Node"} for each in found.get("items") or ()]
        show_nodes()

    def take_pods(found: Any) -> None:
        ended = ("Succeeded", "Failed")
        found_pods[:] = [
            each for each in found.get("items") or () if (each.get("status") or {}).get("phase") not in ended
        ]
        show_nodes()

    asks: list[tuple[str, str, Any]] = [
        ("resourcequotas", namespace, show_quotas),
        ("limitranges", namespace, show_limits),
        ("nodes", "", take_nodes),
        ("pods", "", take_pods),
    ]
    for plural, where, take in asks:
        kind = catalogue.lookup(plural)
        if kind is None:
            continue
        try:
            await page.live(kind.path(where), take, query={"limit": "500"})
        except ApiFailureError as error:
            if error.status != 403:
                raise
            take({"items": []})


def _node_href(page: PageContext, node: Any) -> str:
    return page.href(f"/cluster/nodes/{node['metadata']['name']}")


def _with_namespace(columns: tuple[Column, ...], is_everywhere: bool) -> tuple[Column, ...]:
    return (Column("namespace", "Namespace"), *columns) if is_everywhere else columns
