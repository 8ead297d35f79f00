"""Training jobs and runtimes in the search of the dashboard, and jobs in its feed of what happened."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.components.training.api.summary import State, Summary, summarise
from sampan.components.training.ui import following, places, states
from sampan.components.training.ui.runtimes import finding
from sampan.kube import conditions, meta
from sampan.kube.meta import Object
from sampan.ui.api import Api, segment
from sampan.ui.contract import Activity, Hit

_MOST = 10
_ICONS = {"ok": "check_circle", "bad": "error"}


async def search(api: Api, namespace: str, text: str) -> Sequence[Hit]:
    """Jobs by name, label and uid."""
    sought = text.strip().lower()
    jobs = [job for job in await following.once(api, namespace) if fits(job, sought)]
    jobs.sort(key=lambda job: not meta.name(job).lower().startswith(sought))
    return [hit(summarise(job)) for job in jobs[:_MOST]]


async def search_runtimes(api: Api, namespace: str, text: str) -> Sequence[Hit]:
    sought = text.strip().lower()
    found = []
    for runtime in await finding.find(api, namespace):
        if sought in runtime.name.lower() or sought == runtime.framework.lower():
            place = f"{segment(runtime.namespace)}/" if runtime.namespace else ""
            path = f"{places.RUNTIMES}/{place}{segment(runtime.name)}"
            found.append(Hit("Training runtime", runtime.name, path, "layers", runtime.framework))
    return found[:_MOST]


def fits(job: Object, sought: str) -> bool:
    """Pure."""
    labels = (f"{key}={value}" for key, value in meta.labels(job).items())
    return (
        sought in meta.name(job).lower()
        or meta.uid(job).lower().startswith(sought)
        or any(sought in label.lower() for label in labels)
    )


def hit(job: Summary) -> Hit:
    """Pure."""
    detail = " · ".join(each for each in (states.shown(job.state)[0], job.kind, job.framework) if each)
    return Hit("Training job", job.name, places.of(job), states.ICON, detail)


async def feed(api: Api, namespace: str, most: int) -> Sequence[Activity]:
    """Jobs that began, were restarted, and ended, the newest first."""
    told = [each for job in await following.once(api, namespace) for each in activities(job)]
    return sorted(told, key=lambda each: each.at, reverse=True)[:most]


def activities(obj: Object) -> list[Activity]:
    """What happened to one job. Pure."""
    job = summarise(obj)
    path = places.of(job)
    word = "started" if job.started else "was created"
    text = f"Training job {job.name} {word}"
    found = [Activity(job.started or job.created, text, states.ICON, path, "busy", "Training job")]
    restarting = conditions.find(obj, "Restarting")
    if restarting is not None and restarting.get("lastTransitionTime"):
        text = f"Training job {job.name} restarted"
        if message := restarting.get("message"):
            text += f": {message}"
        at = str(restarting["lastTransitionTime"])
        found.append(Activity(at, text, "restart_alt", path, "warn", "Training job"))
    if job.state.is_finished and job.ended:
        word, tone, icon = states.shown(job.state)
        reason = f": {states.why(job)}" if job.state == State.FAILED and states.why(job) else ""
        text = f"Training job {job.name} {word.lower()}{reason}"
        found.append(Activity(job.ended, text, icon or _ICONS.get(tone, ""), path, tone, "Training job"))
    return found
