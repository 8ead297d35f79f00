"""What comes after a Workflow's end, and how a large status is made small. Pure.

Source: argo-workflows 3.7 docs/fields.md (TTLStrategy, PodGC), workflow/packer/packer.go (compressedNodes above 1 MB).
"""

from __future__ import annotations

import base64
import gzip
from datetime import datetime
from typing import Any

import msgspec

from sampan.components.pipelines.api.workflow_kinds import WORKFLOW_LABEL
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.lib.clock import parse_rfc3339

LARGE_BYTES = 1024 * 1024
"""Of the nodes: a cluster stores objects of 1.5 MiB at most."""


def packed(status: dict[str, Any]) -> dict[str, Any]:
    """With the nodes compressed where they are large, as Argo's own clients read them."""
    nodes = status.get("nodes")
    if not nodes or len(encoded := msgspec.json.encode(nodes)) <= LARGE_BYTES:
        return status
    rest = {key: value for key, value in status.items() if key != "nodes"}
    return {**rest, "compressedNodes": base64.b64encode(gzip.compress(encoded, 6, mtime=0)).decode()}


def seconds_to_live(workflow: Object, now: datetime) -> float | None:
    """How long the ended Workflow stays; None for ever."""
    status = meta.status(workflow)
    strategy, finished = _effective(workflow, "ttlStrategy"), status.get("finishedAt")
    if not strategy or not finished:
        return None
    succeeded = status.get("phase") == "Succeeded"
    seconds = strategy.get("secondsAfterSuccess" if succeeded else "secondsAfterFailure")
    if seconds is None:
        seconds = strategy.get("secondsAfterCompletion")
    if seconds is None:
        return None
    return float(seconds) - (now - parse_rfc3339(str(finished))).total_seconds()


def pods_go(workflow: Object) -> bool:
    """Whether the end of the Workflow is the end of its pods."""
    strategy = str(_effective(workflow, "podGC").get("strategy") or "")
    succeeded = meta.status(workflow).get("phase") == "Succeeded"
    return strategy == "OnWorkflowCompletion" or (strategy == "OnWorkflowSuccess" and succeeded)


def pods_selector(workflow: Object) -> str:
    """Labels of the pods that its garbage collection is about."""
    chosen = _effective(workflow, "podGC").get("labelSelector") or {}
    parts = [f"{WORKFLOW_LABEL}={meta.name(workflow)}"]
    parts += [f"{key}={value}" for key, value in (chosen.get("matchLabels") or {}).items()]
    for rule in chosen.get("matchExpressions") or ():
        key, values = rule.get("key"), ",".join(rule.get("values") or ())
        parts.append(
            {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": f"{key}"}.get(
                str(rule.get("operator")), f"!{key}"
            )
        )
    return ",".join(parts)


def _effective(workflow: Object, key: str) -> dict[str, Any]:
    """As the Workflow says, or the template that it was made of."""
    stored = meta.status(workflow).get("storedWorkflowTemplateSpec")
    for spec in (meta.spec(workflow), stored if isinstance(stored, dict) else {}):
        if isinstance(spec.get(key), dict):
            found: dict[str, Any] = spec[key]
            return found
    return {}
