"""What the form begins with, from its address: a pipeline, a version, an experiment, something to clone."""

from __future__ import annotations

from dataclasses import replace

from sampan.components.pipelines.ui.new_run.request import Schedule, Start, cloned, cloned_schedule
from sampan.ui.api import ApiFailureError, segment
from sampan.ui.context import PageContext

_API = "/apis/v2beta1"


async def start_of(page: PageContext) -> Start:
    """Raises ApiFailureError where what is to be cloned is not there."""
    query = page.query
    if key := query.get("clone", ""):
        found = await _of_run(page, key)
    elif key := query.get("clone_recurring", ""):
        found = cloned_schedule(await page.api.get(f"{_API}/recurringruns/{segment(key)}"))
    else:
        found = Start(pipeline_id=query.get("pipeline", ""), version_id=query.get("version", ""))
    if experiment := query.get("experiment", ""):
        found = replace(found, experiment_id=experiment)
    if query.get("recurring", "") in ("1", "true") and found.schedule is None:
        found = replace(found, schedule=Schedule())
    return found


async def _of_run(page: PageContext, run_id: str) -> Start:
    """As it was started; where its version is gone, from the copy that every run keeps."""
    path = f"{_API}/runs/{segment(run_id)}"
    found = cloned(await page.api.get(path))
    if found.source is not None or not found.version_id:
        return found
    version = f"{_API}/pipelines/{segment(found.pipeline_id)}/versions/{segment(found.version_id)}"
    try:
        await page.api.get(version)
    except ApiFailureError as error:
        if error.status != 404:
            raise
        source = (await page.api.get(path, {"view": "SPEC"})).get("pipeline_spec")
        told = f"{found.told} The version that ran is deleted: this is the copy that the run has kept."
        return replace(found, source=source, pipeline_id="", version_id="", told=told)
    return found
