"""From a Workflow object to the row of its run, in the experiment that it names or in the default one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sampan.components.pipelines.store import experiments, runs
from sampan.components.pipelines.store.runs import RunRow
from sampan.kube import meta
from sampan.kube.meta import Object

EXPERIMENT_ANNOTATION = "pipelines.kubeflow.org/experiment"
"""Its id or its name; the label `pipeline/experiment` says the same."""
_EXPERIMENT_LABEL = "pipeline/experiment"
_RUN_NAME_ANNOTATION = "pipelines.kubeflow.org/run_name"
_LONGEST_NAME = 256


def new_run(workflow: Object, spec: str, now: int) -> RunRow:
    """The row, without its experiment yet."""
    name = meta.annotations(workflow).get(_RUN_NAME_ANNOTATION) or meta.name(workflow)
    return RunRow(
        run_id=meta.uid(workflow),
        experiment_id="",
        namespace=meta.namespace(workflow),
        display_name=name[:_LONGEST_NAME],
        spec=spec,
        spec_inline=True,
        created_at=now,
        scheduled_at=now,
        service_account=str(meta.spec(workflow).get("serviceAccountName") or ""),
        workflow=meta.name(workflow),
    )


def store_run(connection: Any, row: RunRow, workflow: Object) -> None:
    """Stores the row, unless a former attempt has done it."""
    if runs.get(connection, row.run_id) is not None:
        return
    wanted = meta.annotations(workflow).get(EXPERIMENT_ANNOTATION) or meta.labels(workflow).get(
        _EXPERIMENT_LABEL
    )
    found = experiments.get(connection, wanted) if wanted else None
    if found is None and wanted:
        found = experiments.by_name(connection, row.namespace, wanted)
    if found is None or found.namespace != row.namespace:
        found = experiments.ensure_default(connection, row.namespace, row.created_at)
    runs.insert(connection, replace(row, experiment_id=found.experiment_id))
