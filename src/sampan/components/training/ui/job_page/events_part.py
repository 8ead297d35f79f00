"""What Kubernetes' events say of a job, of its pods, and of what stands between them."""

from __future__ import annotations

from collections.abc import Mapping

from sampan.components.training.api.kinds import TRAIN_JOBS
from sampan.components.training.ui.job_page.parts import Shown
from sampan.ui.context import PageContext
from sampan.ui.objects.events_of import EventsOf

_MOST_PODS = 24


class EventsPart(EventsOf):
    def __init__(self, page: PageContext, shown: Shown) -> None:
        nothing = "None are kept of this job and its pods."
        super().__init__(page, shown.job.namespace, lambda: _wanted(shown), nothing)


def _wanted(shown: Shown) -> Mapping[str, Mapping[str, str]]:
    """The job, what it is made of, and the first of its pods."""
    job = shown.job
    found = {f"{job.kind}/{job.name}": {"involvedObject.uid": job.uid}}
    if job.kind == TRAIN_JOBS.kind:
        found[f"JobSet/{job.name}"] = {"involvedObject.kind": "JobSet", "involvedObject.name": job.name}
    for rank in shown.ranks[:_MOST_PODS]:
        found[f"Pod/{rank.pod}"] = {"involvedObject.kind": "Pod", "involvedObject.name": rank.pod}
    return found
