"""Whether a document is Argo's. Apart from `document`, for what the server loads before it is ready."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WORKFLOW_TEMPLATE, CLUSTER_WORKFLOW_TEMPLATE = "WorkflowTemplate", "ClusterWorkflowTemplate"
KINDS = frozenset({"Workflow", WORKFLOW_TEMPLATE, CLUSTER_WORKFLOW_TEMPLATE})


def is_workflow(document: Any) -> bool:
    """Whether this is Argo's rather than the IR."""
    if not isinstance(document, Mapping):
        return False
    return "workflow" in document or (
        str(document.get("apiVersion", "")).startswith("argoproj.io/") and document.get("kind") in KINDS
    )
