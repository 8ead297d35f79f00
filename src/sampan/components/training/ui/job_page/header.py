"""The head of a job's page: its name, how it is, what can be done with it, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from nicegui import ui

from sampan.components.training.api.kinds import TRAIN_JOBS
from sampan.components.training.api.summary import State, Summary
from sampan.components.training.ui import actions, places, states
from sampan.components.training.ui.job_list import bulk, rows
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.forms.fields import About, NumberField
from sampan.ui.times import told

_MOST_WORKERS = 10_000
_USUAL_MANAGERS = ("trainer.kubeflow.org/trainjob-controller", "kubeflow.org/training-operator")
_SPANS = {State.PENDING: "Waits for"}


class Header:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._drawn: Any = None
        self._place = ui.element("div")

    def show(self, obj: Object, job: Summary) -> None:
        drawn = (job, actions.workers(obj))
        if drawn != self._drawn:
            self._drawn = drawn
            self._place.clear()
            with self._place:
                self._build(obj, job)

    def _build(self, obj: Object, job: Summary) -> None:
        with ui.element("div").classes("sp-page-header"):
            with ui.element("div").classes("sp-title"):
                widgets.heading(job.name, 1)
                widgets.state(*states.shown(job.state))
                if meta.is_deleting(obj):
                    widgets.state("Being deleted", "warn", "delete")
            with ui.element("div").classes("sp-actions"):
                self._build_actions(obj, job)
        with ui.element("div").classes("sp-run-facts"):
            self._build_facts(obj, job)
        percent = states.percent(job)
        if percent is not None:
            left = states.remaining(job)
            _progress(percent, f"{percent}%" + (f", {left}" if left else ""))

    def _build_actions(self, obj: Object, job: Summary) -> None:
        page = self._page
        if job.state == State.SUSPENDED:
            resume = partial(actions.suspend, page, job, False)
            widgets.button("Resume", resume, icon="play_circle", kind="primary")
        elif not job.state.is_finished:
            widgets.button("Suspend", partial(self._ask, "suspend", job), icon="pause_circle")
            again = widgets.button("Restart", partial(self._ask_restart, job), icon="restart_alt")
            widgets.explain(again, "Ends all its pods and begins again, with new ones")
        else:
            again = widgets.button("Run again", partial(actions.run_again, page, obj), icon="replay")
            widgets.explain(again, "Starts another job that is the same, under the next free name")
        if not job.state.is_finished and actions.workers(obj) is not None:
            widgets.button("Scale", partial(self._ask_scale, obj), icon="unfold_more")
        clone = widgets.button(
            "Clone", icon="content_copy", href=page.href(places.NEW, clone=rows.identity(job))
        )
        widgets.explain(clone, "Opens the form for a new job with what this one was given, to be changed")
        widgets.button("Delete", partial(self._ask, "delete", job), icon="delete", kind="danger")

    def _build_facts(self, obj: Object, job: Summary) -> None:
        page = self._page
        with _fact("Kind"):
            widgets.text(job.kind)
        if job.kind == TRAIN_JOBS.kind and job.framework:
            with _fact("Runtime"):
                widgets.link(job.framework, page.href(places.runtime_of(obj)))
        elif job.framework:
            with _fact("Framework"):
                widgets.text(job.framework)
        with _fact("Created"):
            told.ago(job.created)
        if began := states.began(job):
            with _fact(_SPANS.get(job.state, "Took" if job.ended else "Running for")):
                told.span(began, job.ended)
        if job.replicas:
            with _fact("Replicas"):
                for each in job.replicas:
                    widgets.text(rows.replicas(each, job), "sp-tag")
        for name, value in rules(obj).items():
            with _fact(name):
                widgets.text(value)
        if job.namespace != page.namespace:
            with _fact("Namespace"):
                widgets.text(job.namespace)

    def _ask(self, name: str, job: Summary) -> None:
        after = (lambda: self._page.go(places.LIST)) if name == "delete" else (lambda: None)
        bulk.ask(self._page, bulk.BY_NAME[name], [job], after)

    def _ask_restart(self, job: Summary) -> None:
        lost = ["All its pods end, and new ones begin.", "What they have not saved is lost."]

        async def go() -> None:
            self._page.spawn(actions.restart(self._page, job), f"restart of {job.name}")

        widgets.confirm(f"Restart {job.name}?", lost, go, label="Restart", danger=False)

    def _ask_scale(self, obj: Object) -> None:
        name, count = meta.name(obj), actions.workers(obj) or 1
        is_train_job = obj.get("kind") == TRAIN_JOBS.kind
        window, content = widgets.dialog(f"Scale {name}")

        async def go() -> None:
            if wanted.validate():
                window.close()
                await actions.scale(self._page, obj, int(wanted.read() or 1))

        with content:
            wanted = NumberField(
                About("count", "Nodes" if is_train_job else "Workers", "How many there shall be"),
                str(count),
                whole=True,
                check=lambda value: "" if value and 0 < value <= _MOST_WORKERS else "Write a number from 1",
            )
            with ui.element("div").classes("sp-dialog-actions"):
                widgets.button("Cancel", window.close)
                widgets.button("Scale", go, kind="primary")


def rules(obj: Mapping[str, Any]) -> dict[str, str]:
    """What it is held to beyond its size: of either kind of API. Pure."""
    spec = meta.spec(obj)
    policy: Mapping[str, Any] = spec.get("runPolicy") or {}
    scheduling: Mapping[str, Any] = policy.get("schedulingPolicy") or {}
    elastic: Mapping[str, Any] = spec.get("elasticPolicy") or {}
    deadline = spec.get("activeDeadlineSeconds") or policy.get("activeDeadlineSeconds")
    found = {
        "Elastic": f"{elastic.get('minReplicas', '?')} to {elastic.get('maxReplicas', '?')}"
        if elastic
        else "",
        "Queue": str(scheduling.get("queue") or ""),
        "Priority": str(scheduling.get("priorityClass") or ""),
        "Deadline": states.lasting(int(deadline)) if isinstance(deadline, int) else "",
        "Managed by": str(spec.get("managedBy") or policy.get("managedBy") or ""),
    }
    return {name: value for name, value in found.items() if value and value not in _USUAL_MANAGERS}


def _progress(percent: int, said: str) -> None:
    with ui.element("div").classes("tr-progress"):
        bar = ui.element("div").classes("tr-progress-bar")
        bar._props.update(
            {
                "role": "progressbar",
                "aria-valuenow": str(percent),
                "aria-valuemin": "0",
                "aria-valuemax": "100",
                "aria-label": "Progress",
            }
        )
        bar._style["--sp-part"] = f"{percent / 100:.3f}"
        widgets.text(said)


def _fact(name: str) -> Any:
    with ui.element("span").classes("sp-fact") as found:
        widgets.text(name, "sp-muted")
    return found
