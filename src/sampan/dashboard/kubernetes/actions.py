"""What can be done with an object from its page: delete, scale, restart, suspend, run, cordon; as kubectl does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from sampan.dashboard.kubernetes import dependents, fields
from sampan.dashboard.kubernetes.described import Object, name_of, namespace_of
from sampan.dashboard.kubernetes.kinds import Catalogue, Kind, spaced
from sampan.dashboard.kubernetes.listing import DELETE_QUERY, WITH_THEM
from sampan.dashboard.kubernetes.saving import MANAGER
from sampan.lib.clock import Clock, rfc3339
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext

_MERGE = "application/merge-patch+json"
_MOST_NAMED = 12
_MOST_REPLICAS = 10_000
_NAME_LENGTH = 52
"""Of a Job, so that its pods' names have room for what is added to them."""


@dataclass(frozen=True, slots=True)
class Action:
    label: str
    icon: str
    act: Callable[[], Any]
    kind: str = ""


class Actions:
    """Of one object's page. Restarts and jobs started by hand are marked with the clock's time."""

    def __init__(self, page: PageContext, catalogue: Catalogue, kind: Kind, clock: Clock) -> None:
        self._page = page
        self._catalogue = catalogue
        self._kind = kind
        self._clock = clock
        self._obj: Object = {}

    def of(self, obj: Object) -> list[Action]:
        self._obj = obj
        spec = obj.get("spec") or {}
        kind, verbs = self._kind, self._kind.verbs
        found: list[Action] = []
        if "patch" in verbs:
            if "scale" in kind.subresources:
                found.append(Action("Scale", "unfold_more", self._ask_scale))
            if kind.group == "apps" and kind.kind in ("Deployment", "StatefulSet", "DaemonSet"):
                found.append(Action("Restart", "restart_alt", self._ask_restart))
            if kind.group == "batch" and kind.kind == "CronJob":
                found.append(Action("Run now", "play_arrow", self._run_now))
            if kind.group == "batch" and not _is_over(obj):
                if spec.get("suspend"):
                    found.append(Action("Resume", "play_circle", lambda: self._suspend(False)))
                else:
                    found.append(Action("Suspend", "pause_circle", lambda: self._suspend(True)))
            if kind.group == "" and kind.kind == "Node":
                if spec.get("unschedulable"):
                    found.append(Action("Uncordon", "lock_open", lambda: self._cordon(False)))
                else:
                    found.append(Action("Cordon", "block", self._ask_cordon))
        if "delete" in verbs:
            found.append(Action("Delete", "delete", self._ask_delete, "danger"))
        return found

    @property
    def _path(self) -> str:
        return self._kind.path(namespace_of(self._obj), name_of(self._obj))

    async def _patch(self, patch: Mapping[str, Any], done: str, subresource: str = "") -> bool:
        path = f"{self._path}/{subresource}" if subresource else self._path
        query = {"fieldManager": MANAGER}
        return await self._page.attempt(self._page.api.patch(path, patch, query, content_type=_MERGE), done)

    async def _ask_scale(self) -> None:
        name, count = name_of(self._obj), await self._scale()
        window, content = widgets.dialog(f"Scale {name}")
        chosen = [str(count)]

        async def go() -> None:
            if not chosen[0].isdecimal() or int(chosen[0]) > _MOST_REPLICAS:
                trouble.set_text("Write a whole number, 0 or more.")
                return
            window.close()
            await self._patch({"spec": {"replicas": int(chosen[0])}}, f"{name}: {chosen[0]} wanted.", "scale")

        def note(value: str) -> None:
            chosen[0] = value.strip()

        with content:
            fields.labelled("How many", fields.number_box("How many", count, note))
            widgets.paragraph("With 0 nothing runs, and the object stays.", "sp-hint")
            trouble = widgets.paragraph("", "sp-field-error")
            with ui.element("div").classes("sp-dialog-actions"):
                widgets.button("Cancel", window.close)
                widgets.button("Scale", go, kind="primary")

    async def _scale(self) -> int:
        """Where kinds keep their number is known to the API only."""
        try:
            found = await self._page.api.get(f"{self._path}/scale")
        except ApiFailureError:
            return 0
        return int((found.get("spec") or {}).get("replicas") or 0)

    def _ask_restart(self) -> None:
        name = name_of(self._obj)
        note = {"kubectl.kubernetes.io/restartedAt": rfc3339(self._clock.now())}
        patch = {"spec": {"template": {"metadata": {"annotations": note}}}}

        async def go() -> None:
            await self._patch(patch, f"{name} is being restarted.")

        lost = ["Its pods are replaced by new ones, a few at a time. What they hold in memory is lost."]
        widgets.confirm(f"Restart {name}?", lost, go, label="Restart", danger=False)

    async def _suspend(self, suspended: bool) -> None:
        done = "It is suspended." if suspended else "It goes on."
        await self._patch({"spec": {"suspend": suspended}}, f"{name_of(self._obj)}: {done}")

    def _ask_cordon(self) -> None:
        async def go() -> None:
            await self._cordon(True)

        lost = ["It takes no new pods. Those that run there stay."]
        widgets.confirm(f"Cordon {name_of(self._obj)}?", lost, go, label="Cordon", danger=False)

    async def _cordon(self, on: bool) -> None:
        patch = {"spec": {"unschedulable": True if on else None}}
        await self._patch(patch, "It takes no new pods." if on else "It takes pods again.")

    async def _run_now(self) -> None:
        jobs = self._catalogue.lookup("jobs.batch")
        if jobs is None:
            return
        job = manual_job(self._obj, int(self._clock.now().timestamp()))
        made = self._page.api.post(jobs.path(namespace_of(self._obj)), job, {"fieldManager": MANAGER})
        if await self._page.attempt(made, f"Job {job['metadata']['name']} is started."):
            self._page.go(jobs.page(namespace_of(self._obj), job["metadata"]["name"]))

    async def _ask_delete(self) -> None:
        obj, kind, page = self._obj, self._kind, self._page
        below = await dependents.find(page.api, self._catalogue, obj) if kind.namespaced else []
        lost = [f"{spaced(kind.kind)} {name_of(obj)}", *named(below)]
        if kind.kind in WITH_THEM and kind.kind not in ("Pod", "Event"):
            lost.append(
                WITH_THEM[kind.kind].replace("them", "it").replace("their", "its").replace("Their", "Its")
            )
        if kind.kind == "Pod":
            owned = (obj.get("metadata") or {}).get("ownerReferences")
            lost.append(
                "Its log." + (" What it belongs to makes another, if it still should." if owned else "")
            )
        typed = (
            name_of(obj) if kind.kind in ("Namespace", "PersistentVolume", "CustomResourceDefinition") else ""
        )

        async def go() -> None:
            if await page.attempt(
                page.api.delete(self._path, DELETE_QUERY), f"{name_of(obj)} is being deleted."
            ):
                page.go(kind.page())

        widgets.confirm(f"Delete {name_of(obj)}?", lost, go, label="Delete", typed=typed)


def named(below: Sequence[dependents.Dependent]) -> list[str]:
    """What goes with an object, for the question."""
    lines = [f"{spaced(each.kind.kind)} {each.name}" for each in below[:_MOST_NAMED]]
    if len(below) > _MOST_NAMED:
        lines.append(f"and {len(below) - _MOST_NAMED} more objects that belong to it")
    return lines


def _is_over(obj: Object) -> bool:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return any(
        each.get("type") in ("Complete", "Failed") and each.get("status") == "True" for each in conditions
    )


def manual_job(cron_job: Object, seconds: int) -> dict[str, Any]:
    """As `kubectl create job --from=cronjob/…` makes it. Pure."""
    template = (cron_job.get("spec") or {}).get("jobTemplate") or {}
    metadata = template.get("metadata") or {}
    name = name_of(cron_job)
    reference = {
        "apiVersion": cron_job.get("apiVersion"),
        "kind": "CronJob",
        "name": name,
        "uid": (cron_job.get("metadata") or {}).get("uid"),
        "controller": True,
    }
    suffix = f"-{seconds}"
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name[: _NAME_LENGTH - len(suffix)].rstrip("-.") + suffix,
            "namespace": namespace_of(cron_job),
            "labels": metadata.get("labels") or {},
            "annotations": {
                **(metadata.get("annotations") or {}),
                "cronjob.kubernetes.io/instantiate": "manual",
            },
            "ownerReferences": [reference],
        },
        "spec": template.get("spec") or {},
    }
