"""Which revisions of the predictor get how many of the requests, and what is done about it.

What `canaryTrafficPercent` does is in `engine.inference_services.traffic`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from nicegui import ui
from nicegui.element import Element

from sampan.components.serving.api import labels
from sampan.components.serving.ui import actions
from sampan.components.serving.ui.endpoint_list.rows import short_revision
from sampan.components.serving.ui.endpoint_page.parts import Shown
from sampan.components.serving.ui.summary import Endpoint
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.table import cells
from sampan.ui.table.table import Column, DataTable, Row

_COLUMNS = (
    Column("revision", "Revision"),
    Column("percent", "Requests", number=True),
    Column("replicas", "Replicas", number=True),
    Column("created", "Created"),
)
_ON_SLIDE = "(event) => emit(event.target.value)"


class TrafficCard:
    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown
        self._drawn: Any = None
        self._slid: Any = None
        with widgets.card("Revisions and traffic"):
            self._split = ui.element("div")
            self._ways = ui.element("div")
            self._table = DataTable(_COLUMNS, label="Revisions")

    def update(self) -> None:
        endpoint = self._shown.endpoint
        self._table.set_rows(rows(endpoint, self._shown.deployments))
        if endpoint.rollout != self._drawn:
            self._drawn = endpoint.rollout
            self._split.clear()
            with self._split:
                _build_split(endpoint)
        # Not with each step of a rollout: somebody may be sliding.
        slid = (can_split(endpoint), newest_percent(endpoint))
        if slid != self._slid:
            self._slid = slid
            self._ways.clear()
            with self._ways:
                self._build_ways(*slid)

    def _build_ways(self, can_slide: bool, percent: int) -> None:
        if can_slide:
            self._build_slider(percent)
        else:
            widgets.paragraph(
                "With a second revision its part of the requests is set here: change the model, and give the new one "
                "a few per cent first.",
                "sp-muted sp-small",
            )

    def _build_slider(self, percent: int) -> None:
        wanted = [percent]
        with ui.element("div").classes("sv-slider"):
            widgets.Text("label", "To the newest revision").props('for="sv-percent"')
            slider = Element("input").props('type=range min=0 max=100 step=1 id="sv-percent"')
            # The attribute: with the property, Vue sets it back whenever it draws anew.
            slider._props["^value"] = str(wanted[0])
            said = widgets.Text("output", f"{wanted[0]}%").props('for="sv-percent"')

            def slide(event: Any) -> None:
                wanted[0] = int(float(event.args or 0))
                said.set_text(f"{wanted[0]}%")

            slider.on("input", slide, js_handler=_ON_SLIDE)

            async def apply() -> None:
                await self._set_share(wanted[0])

            widgets.button("Apply", apply, kind="primary")
        with ui.element("div").classes("sp-row sv-space"):
            promote = widgets.button("Promote", partial(self._set_share, None), icon="done_all")
            widgets.explain(promote, "The newest revision gets all requests, and is no canary any more")
            back = widgets.button("Roll back", partial(self._set_share, 0), icon="undo")
            widgets.explain(back, "All requests go to the revision before; the newest gets none")

    async def _set_share(self, percent: int | None) -> None:
        await actions.set_share(self._page, self._shown.endpoint, percent)


def _build_split(endpoint: Endpoint) -> None:
    shares = [each for each in endpoint.rollout.traffic if each.percent]
    with ui.element("div").classes("sv-split") as split:
        said = ", ".join(f"{each.revision} {each.percent}%" for each in shares)
        split._props.update({"role": "img", "aria-label": f"Requests: {said or 'none get any'}"})
        for each in shares:
            text = f"{short_revision(each.revision)} · {each.percent}%"
            part = widgets.text(text, "sv-share sv-newest" if each.is_latest else "sv-share")
            part._style["--sp-part"] = str(each.percent)
            part._props["title"] = each.revision


def can_split(endpoint: Endpoint) -> bool:
    """Whether there is another revision that requests could go to. Pure."""
    rollout = endpoint.rollout
    older = {rollout.latest_rolled_out, rollout.previous_rolled_out, *rollout.in_use} - {
        "",
        rollout.latest_ready,
    }
    return bool(rollout.latest_ready and older)


def newest_percent(endpoint: Endpoint) -> int:
    """What the newest gets now, or is to get. Pure."""
    if endpoint.canary_percent is not None:
        return endpoint.canary_percent
    return next((each.percent for each in endpoint.rollout.traffic if each.is_latest), 100)


def rows(endpoint: Endpoint, deployments: Any) -> list[Row]:
    """The newest first. Pure."""
    shares = {each.revision: each for each in endpoint.rollout.traffic}
    found = []
    for each in deployments:
        name = meta.labels(each).get(labels.REVISION, "")
        if not name or meta.labels(each).get(labels.COMPONENT) != labels.PREDICTOR:
            continue
        share = shares.get(name)
        percent = share.percent if share is not None else 0
        found.append(
            Row(
                name,
                {
                    "revision": cells.lines(name, _role(endpoint, name, share.tag if share else "")),
                    "percent": cells.number(percent, f"{percent}%"),
                    "replicas": _replicas(each),
                    "created": cells.time(str(meta.metadata(each).get("creationTimestamp") or "")),
                },
                name=name,
            )
        )
    return sorted(found, key=lambda row: row.id, reverse=True)


def _role(endpoint: Endpoint, revision: str, tag: str) -> str:
    rollout = endpoint.rollout
    words = [tag]
    if revision == rollout.latest_created and revision != rollout.latest_ready:
        words.append("newest, not ready")
    elif revision == rollout.latest_ready:
        words.append("newest")
    if revision == rollout.latest_rolled_out:
        words.append("rolled out")
    return ", ".join(each for each in words if each)


def _replicas(deployment: Object) -> Any:
    status, spec = meta.status(deployment), meta.spec(deployment)
    ready, wanted = int(status.get("readyReplicas") or 0), int(spec.get("replicas") or 0)
    return cells.number(ready, f"{ready} of {wanted}" if ready != wanted else str(ready))
