"""What the form begins with, from its address: a pipeline, a version, an experiment, something to clone."""

from __future__ import annotations

from dataclasses import replace

from sampan.components.pipelines.ui.new_run.request import Schedule, Start, cloned, cloned_schedule
from sampan.ui.api import segment
from sampan.ui.context import PageContext

_API = "/apis/v2beta1"


async def start_of(page: PageContext) -> Start:
    """Raises ApiFailureError where what is to be cloned is not there."""
    query = page.query
    if key := query.get("clone", ""):
        found = cloned(await page.api.get(f"{_API}/runs/{segment(key)}"))
    elif key := query.get("clone_recurring", ""):
        found = cloned_schedule(await page.api.get(f"{_API}/recurringruns/{segment(key)}"))
    else:
        found = Start(pipeline_id=query.get("pipeline", ""), version_id=query.get("version", ""))
    if experiment := query.get("experiment", ""):
        found = replace(found, experiment_id=experiment)
    if query.get("recurring", "") in ("1", "true") and found.schedule is None:
        found = replace(found, schedule=Schedule())
    return found
