"""The templates that a Workflow refers to, read from the API: those that they refer to in turn, too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sampan.client.protocol import Client, Object
from sampan.components.pipelines.api.workflow_kinds import CLUSTER_WORKFLOW_TEMPLATES, WORKFLOW_TEMPLATES
from sampan.kube.errors import NotFoundError

Reference = tuple[str, str]
"""Kind and name."""
Templates = Mapping[Reference, Object]
GetTemplate = Callable[[str, str], Object | None]

_MOST = 500
_SECONDS = 30.0


def references(value: Any) -> Iterator[Reference]:
    """Every `templateRef` and `workflowTemplateRef` below `value`."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            for key, inner in item.items():
                if key in ("templateRef", "workflowTemplateRef") and isinstance(inner, dict):
                    kind = "ClusterWorkflowTemplate" if inner.get("clusterScope") else "WorkflowTemplate"
                    yield kind, str(inner.get("name") or "")
                stack.append(inner)
        elif isinstance(item, list):
            stack.extend(item)


async def load_templates(client: Client, namespace: str, workflow: Object) -> dict[Reference, Object]:
    """Those that exist. Raises ApiError."""
    found: dict[Reference, Object] = {}
    asked: set[Reference] = set()
    wanted = set(references(workflow.get("spec")))
    while wanted and len(asked) < _MOST:
        asked |= wanted
        loaded = await asyncio.gather(*(_load(client, namespace, each) for each in wanted))
        new = {key: value for key, value in zip(wanted, loaded, strict=True) if value is not None}
        found |= new
        wanted = {each for value in new.values() for each in references(value.get("spec"))} - asked
    return found


def blocking(client: Client, namespace: str) -> GetTemplate:
    """For who reads a Workflow in a thread: called in the event loop, what it gives is called elsewhere."""
    loop = asyncio.get_running_loop()

    def get(kind: str, name: str) -> Object | None:
        return asyncio.run_coroutine_threadsafe(_load(client, namespace, (kind, name)), loop).result(_SECONDS)

    return get


async def _load(client: Client, namespace: str, reference: Reference) -> Object | None:
    kind, name = reference
    if not name or "{{" in name:
        return None
    try:
        if kind == "ClusterWorkflowTemplate":
            return await client.get(CLUSTER_WORKFLOW_TEMPLATES, name)
        return await client.get(WORKFLOW_TEMPLATES, name, namespace)
    except NotFoundError:
        return None
