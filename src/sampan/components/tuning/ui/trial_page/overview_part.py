"""A trial's parameters, what it came to, when it is stopped early, its pods, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from sampan.components.tuning.api.reading import metrics_of
from sampan.components.tuning.ui import states
from sampan.components.tuning.ui.trial_page.parts import Shown
from sampan.components.tuning.ui.trials import rfc3339
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.api import segment
from sampan.ui.context import PageContext
from sampan.ui.objects import conditions
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row

_METRICS = (
    Column("name", "Metric"),
    Column("counts", "Counts", number=True),
    Column("low", "Least", number=True),
    Column("high", "Most", number=True),
    Column("last", "Latest", number=True),
)
_PODS = (
    Column("name", "Pod"),
    Column("phase", "Phase"),
    Column("containers", "Containers"),
    Column("created", "Created"),
)
_COMPARED = {"less": "is less than", "greater": "is more than", "equal": "is"}
_TONES = {"Running": "busy", "Succeeded": "ok", "Failed": "bad", "Pending": "idle"}


class OverviewPart:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown

    async def build(self) -> None:
        shown = self._shown
        with ui.element("div").classes("sp-grid"):
            with widgets.card("Parameters"):
                if shown.trial.assignments:
                    widgets.pairs(shown.trial.assignments)
                else:
                    widgets.paragraph("It was given none.", "sp-muted")
            if told := rules(shown.obj):
                with widgets.card("Is stopped early"), ui.element("ul").classes("sp-lost"):
                    for each in told:
                        widgets.Text("li", each)
        widgets.heading("What it came to").classes("tu-space")
        self._metrics = DataTable(_METRICS, label="Metrics")
        self._no_metrics = widgets.paragraph("", "sp-muted")
        widgets.heading("Pods").classes("tu-space")
        self._pods = DataTable(_PODS, label="Pods")
        self._no_pods = widgets.paragraph("It has none.", "sp-muted")
        widgets.heading("What became of it").classes("tu-space")
        self._conditions = DataTable(conditions.COLUMNS, label="Conditions")
        self.update()

    def update(self) -> None:
        shown = self._shown
        measured = metrics(shown)
        self._metrics.set_rows(measured)
        self._metrics.set_visibility(bool(measured))
        self._no_metrics.set_visibility(not measured)
        over = shown.trial.state.is_finished
        self._no_metrics.set_text(
            "Nothing." if over else "It is summed up when it has ended; the curves are live."
        )
        pods = [pod(each, shown.trial.namespace, self._page) for each in shown.pods]
        self._pods.set_rows(pods)
        self._pods.set_visibility(bool(pods))
        self._no_pods.set_visibility(not pods)
        self._conditions.set_rows(
            conditions.rows(meta.status(shown.obj).get("conditions"), states.CONDITION_TONES)
        )

    def stop(self) -> None:
        """Nothing goes on by itself."""


def rules(obj: Object) -> list[str]:
    """In words. Pure."""
    found: Any = meta.spec(obj).get("earlyStoppingRules")
    told: Sequence[Mapping[str, Any]] = [each for each in found or () if isinstance(each, Mapping)]
    texts = []
    for each in told:
        compared = _COMPARED.get(str(each.get("comparison")), str(each.get("comparison")))
        text = f"when {each.get('name')} {compared} {states.value(str(each.get('value')))}"
        if step := each.get("startStep"):
            text += f", from value {step} on"
        texts.append(text)
    return texts


def metrics(shown: Shown) -> list[Row]:
    """As the trial's status has them. Pure."""
    found = metrics_of(meta.status(shown.obj).get("observation"))
    return [
        Row(
            name,
            {
                "name": name,
                "counts": cells.number(None, states.value(shown.trial.values.get(name))),
                "low": cells.number(None, states.value(each.min)),
                "high": cells.number(None, states.value(each.max)),
                "last": cells.number(None, states.value(each.latest)),
            },
        )
        for name, each in found.items()
    ]


def pod(each: Mapping[str, Any], namespace: str, page: PageContext) -> Row:
    name, phase = str(each.get("name") or ""), str(each.get("phase") or "")
    second = "its metrics count" if each.get("primary") else ""
    place = page.href(f"/cluster/pods/{segment(namespace)}/{segment(name)}")
    gone = bool(each.get("gone"))
    return Row(
        str(each.get("uid") or name),
        {
            "name": cells.lines(name, second) if gone else cells.link(name, place, second),
            "phase": cells.state("gone", "idle", "history")
            if gone
            else cells.state(phase, _TONES.get(phase, "idle")),
            "containers": cells.tags([str(one) for one in each.get("containers") or ()]),
            "created": cells.time(rfc3339(float(each.get("created") or 0))),
        },
        name=name,
    )
