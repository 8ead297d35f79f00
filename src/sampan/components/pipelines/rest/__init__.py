"""The REST API of Kubeflow Pipelines, v2beta1 and below it v1beta1, as unmodified clients speak it.

`endpoints` is the table of all paths, loaded when the server is ready or first asked. `dispatch` takes a request
through one of them, `authorise` decides. A module for each service answers; `render` and `task_details` write its
messages. No SQL here: that is `store`.
"""

from __future__ import annotations

from sampan.components.pipelines.rest.dispatch import Api
from sampan.components.pipelines.rest.ports import Backend, RunEngine

__all__ = ["PREFIXES", "PROVEN_PATHS", "Api", "Backend", "RunEngine"]

PREFIXES = (
    "/apis/v1alpha1",
    "/apis/v1beta1",
    "/apis/v2beta1",
    "/pipeline",
    "/artifacts",
    "/k8s",
    "/apps/tensorboard",
    "/system",
    "/visualizations",
)
"""What belongs to this API on the platform's one port; `/pipeline` in front of a path changes nothing."""

PROVEN_PATHS = ("(/pipeline)?/apis/v2beta1/triggers/[0-9a-f-]{1,64}:fire",)
"""Webhooks: who sends one is no user, and shows the trigger's secret, which may look like a user's token."""
