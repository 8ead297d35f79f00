"""The objects that trials run: where their kind is served, and the page that shows one. Pure, but `path_of`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.kube import meta
from sampan.ui.api import Api, ApiFailureError, segment

_NOT_FOUND = 404
_PLAIN_GROUPS = ("", "apps", "batch")
"""Of kinds whose plural alone names their pages."""
_RUN_ID = "pipeline/runid"
"""Label of a Workflow that is a run of a pipeline. Source: kubeflow/pipelines backend/src/common/util/consts.go."""


def _group(api_version: str) -> tuple[str, str]:
    group, _, version = api_version.rpartition("/")
    return group, version


async def path_of(api: Api, api_version: str, kind: str, namespace: str) -> str:
    """The API's path of the collection of that kind. Raises ApiFailureError where none is served."""
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    try:
        found = await api.get(root)
    except ApiFailureError as error:
        if error.status != _NOT_FOUND:
            raise
        found = {}
    for each in found.get("resources") or ():
        if each.get("kind") == kind and "/" not in str(each.get("name")):
            return f"{root}/namespaces/{segment(namespace)}/{each['name']}"
    raise ApiFailureError(_NOT_FOUND, f"The cluster serves no {kind} of {api_version}.")


def plural_of(kind: str) -> str:
    """As nearly all kinds have it."""
    name = kind.lower()
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"


def page_of(run: Mapping[str, Any], namespace: str) -> str:
    """Of a trial's run object: its training job's or run's page where it is one, else that of the cluster's object."""
    api_version, kind, name = str(run.get("apiVersion") or ""), str(run.get("kind") or ""), meta.name(run)
    group, _ = _group(api_version)
    plural = plural_of(kind)
    if (run_id := meta.labels(run).get(_RUN_ID)) and kind == "Workflow":
        return f"/runs/{segment(run_id)}"
    if group in ("kubeflow.org", "trainer.kubeflow.org") and kind.endswith("Job"):
        return f"/training/{plural}/{segment(namespace)}/{segment(name)}"
    key = plural if group in _PLAIN_GROUPS else f"{plural}.{group}"
    return f"/cluster/{key}/{segment(namespace)}/{segment(name)}"
