"""The page of one object: how it is, in words; what it consists of; its YAML; what belongs to it; its logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from nicegui import ui
from nicegui.element import Element

from sampan.dashboard.kubernetes import kinds
from sampan.dashboard.kubernetes.actions import Action, Actions
from sampan.dashboard.kubernetes.kinds import Catalogue, Kind, spaced
from sampan.dashboard.kubernetes.listing import tell_unknown
from sampan.dashboard.kubernetes.log_part import LogPart
from sampan.dashboard.kubernetes.owned_part import OwnedPart
from sampan.dashboard.kubernetes.summary_part import SummaryPart
from sampan.dashboard.kubernetes.terminal_part import TerminalPart
from sampan.dashboard.kubernetes.yaml_part import YamlPart
from sampan.lib.clock import SystemClock
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.objects import health
from sampan.ui.widgets import Tabs

_OWNERS = frozenset(
    {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "JobSet", "Service"}
)

_LOGGED = frozenset({"pods", "deployments", "statefulsets", "daemonsets", "replicasets", "jobs"})


class Part(Protocol):
    """What a tab shows."""

    async def build(self) -> None: ...

    def update(self, obj: Mapping[str, Any]) -> None: ...

    def stop(self) -> None: ...


async def build(page: PageContext) -> None:
    catalogue = await kinds.find(page.api)
    kind = catalogue.lookup(page.params["kind"])
    if kind is None:
        tell_unknown(page)
        return
    await _ObjectPage(page, catalogue, kind).build()


class _ObjectPage:
    def __init__(self, page: PageContext, catalogue: Catalogue, kind: Kind) -> None:
        self._page = page
        self._catalogue = catalogue
        self._kind = kind
        self._name = page.params["name"]
        self._namespace = page.params.get("namespace") or (page.namespace if kind.namespaced else "")
        self._actions = Actions(page, catalogue, kind, SystemClock())
        self._shown_actions: Sequence[str] = ()
        self._obj: Mapping[str, Any] = {}
        self._nodes: Sequence[Any] = ()
        self._health: Any = None
        self._part: Part | None = None

    async def build(self) -> None:
        page, kind = self._page, self._kind
        crumbs = [("Cluster", "/cluster"), (kind.label, kind.page())]
        page.set_title(self._name, crumbs)
        where = f" in {self._namespace}" if self._namespace else ""
        self._buttons = widgets.page_header(self._name, f"{spaced(kind.kind)}{where}")
        self._banner = ui.element("div").props('role="status"')
        await page.live(kind.path(self._namespace, self._name), self._take)
        names = {"summary": "Summary", **self._more_tabs(), "yaml": "YAML"}
        tabs = Tabs(names, page.query.get("tab", "summary"), self._choose)
        await tabs.show()

    def _more_tabs(self) -> dict[str, str]:
        logs = {"logs": "Logs"} if self._kind.key in _LOGGED else {}
        if self._kind.key == "pods" and "exec" in self._kind.subresources:
            logs["terminal"] = "Terminal"
        is_owner = self._kind.kind in _OWNERS or (self._kind.namespaced and "." in self._kind.key)
        return logs | ({"owned": "Owned objects"} if is_owner else {})

    async def _choose(self, key: str) -> None:
        if self._part is not None:
            self._part.stop()
        self._page.set_query(tab=key if key != "summary" else "")
        self._part = part = self._made(key)
        await part.build()

    def _made(self, key: str) -> Part:
        if key == "yaml":
            return YamlPart(self._page, self._kind, self._obj)
        if key == "logs":
            return LogPart(self._page, self._catalogue, self._obj)
        if key == "terminal":
            return TerminalPart(self._page, self._obj)
        if key == "owned":
            return OwnedPart(self._page, self._catalogue, self._obj)
        summary = SummaryPart(self._page, self._catalogue, self._kind, self._obj)
        summary.on_related = self._take_related
        return summary

    def _take(self, obj: Any) -> None:
        self._obj = obj
        self._show_actions()
        self._show_health()
        if self._part is not None:
            self._part.update(obj)

    def _take_related(self, found: Mapping[str, Any]) -> None:
        nodes = (found.get("nodes") or {}).get("items") or ()
        if nodes != self._nodes:
            self._nodes = nodes
            self._show_health()

    def _show_actions(self) -> None:
        found = self._actions.of(self._obj)
        labels = [each.label for each in found]
        if labels == self._shown_actions:
            return
        self._shown_actions = labels
        self._buttons.clear()
        with self._buttons:
            for each in found:
                _button(each)

    def _show_health(self) -> None:
        found = health.of(self._obj, self._nodes)
        if found == self._health:
            return
        self._health = found
        self._banner.clear()
        if found is None:
            return
        with self._banner, _banner(found):
            widgets.state(found.word, found.tone)
            if found.why or found.hint:
                with ui.element("div"):
                    if found.why:
                        widgets.paragraph(found.why, "sp-pre")
                    if found.hint:
                        widgets.paragraph(found.hint, "sp-muted")


def _banner(found: health.Health) -> Element:
    return ui.element("div").classes(f"kc-banner kc-banner-{found.tone if found.is_trouble else 'calm'}")


def _button(action: Action) -> Element:
    return widgets.button(action.label, action.act, icon=action.icon, kind=action.kind)
