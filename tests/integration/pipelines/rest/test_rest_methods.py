"""Every method of upstream's services is served: none answers that it is unknown, or not there yet.

The table is that of the annotations in
backend/api/{v1beta1,v2beta1}/*.proto of kubeflow/pipelines (August 2026), with the
tasks and artifacts of pull request 13986, the paths outside of the protos in backend/src/apiserver/main.go, and those
of frontend/server/app.ts.
"""

from __future__ import annotations

from typing import Any

import pytest

V1_METHODS = """
GET    /auth
GET    /healthz
POST   /experiments
GET    /experiments
GET    /experiments/X
DELETE /experiments/X
POST   /experiments/X:archive
POST   /experiments/X:unarchive
POST   /pipelines
GET    /pipelines
GET    /pipelines/X
DELETE /pipelines/X
GET    /pipelines/X/templates
POST   /pipelines/X/default_version/X
POST   /pipelines/upload
POST   /pipelines/upload_version
GET    /namespaces/X/pipelines/X
POST   /pipeline_versions
GET    /pipeline_versions
GET    /pipeline_versions/X
DELETE /pipeline_versions/X
GET    /pipeline_versions/X/templates
POST   /runs
GET    /runs
GET    /runs/X
DELETE /runs/X
POST   /runs/X:archive
POST   /runs/X:unarchive
POST   /runs/X:reportMetrics
POST   /runs/X/terminate
POST   /runs/X/retry
GET    /runs/X/nodes/X/artifacts/X:read
GET    /runs/X/nodes/X/log
POST   /jobs
GET    /jobs
GET    /jobs/X
DELETE /jobs/X
POST   /jobs/X/enable
POST   /jobs/X/disable
POST   /workflows
POST   /scheduledworkflows
POST   /visualizations/X
"""

V2_METHODS = """
GET    /auth
GET    /healthz
POST   /experiments
GET    /experiments
GET    /experiments/X
DELETE /experiments/X
POST   /experiments/X:archive
POST   /experiments/X:unarchive
POST   /pipelines
GET    /pipelines
POST   /pipelines/create
GET    /pipelines/names/X
GET    /pipelines/X
PATCH  /pipelines/X
DELETE /pipelines/X
POST   /pipelines/upload
POST   /pipelines/upload_version
POST   /pipelines/X/versions
GET    /pipelines/X/versions
GET    /pipelines/X/versions/X
PATCH  /pipelines/X/versions/X
DELETE /pipelines/X/versions/X
POST   /runs
GET    /runs
GET    /runs/X
DELETE /runs/X
POST   /runs/X:archive
POST   /runs/X:unarchive
POST   /runs/X:terminate
POST   /runs/X:retry
GET    /runs/X/nodes/X/artifacts/X:read
GET    /runs/X/nodes/X/log
POST   /recurringruns
GET    /recurringruns
GET    /recurringruns/X
DELETE /recurringruns/X
POST   /recurringruns/X:enable
POST   /recurringruns/X:disable
POST   /runs/X/tasks
GET    /runs/X/tasks
GET    /runs/X/tasks/X
PATCH  /runs/X/tasks/X
POST   /runs/X/tasks:batchUpdate
POST   /tasks:findCached
GET    /artifacts
POST   /artifacts
POST   /artifacts:batchCreate
GET    /artifacts/X
GET    /artifact_tasks
POST   /artifact_tasks
POST   /artifact_tasks:batchCreate
POST   /workflows
POST   /scheduledworkflows
POST   /visualizations/X
"""

OTHERS = """
GET    /apis/v1alpha1/tasks
POST   /apis/v1alpha1/tasks
GET    /apis/v1alpha1/runs/X/nodes/X/log
GET    /artifacts/get
GET    /artifacts/minio/X/a/b/c
GET    /k8s/pod
GET    /k8s/pod/events
GET    /k8s/pod/logs
GET    /system/cluster-name
GET    /system/project-id
GET    /visualizations/allowed
GET    /apps/tensorboard
"""


def methods() -> list[tuple[str, str]]:
    found = []
    for prefix, text in (("/apis/v1beta1", V1_METHODS), ("/apis/v2beta1", V2_METHODS), ("", OTHERS)):
        for line in text.split("\n"):
            if line:
                method, path = line.split()
                found.append((method, prefix + path))
    return found


@pytest.mark.parametrize("prefix", ["", "/pipeline"])
def test_every_method_is_served(api: Any, prefix: str) -> None:
    for method, path in methods():
        answer = api.call(method, prefix + path)
        case = (method, path, answer.status, answer.content)
        assert answer.status not in (405, 501), case
        assert answer.status == 500 or b"no such path" not in answer.content, case
        if answer.status >= 500:
            # What has nobody behind it here says so in words of its own.
            assert path.startswith("/system/") or "visualization" in path, case
