"""Which nodes are in a LocalModelNodeGroup: those that its volumes may be on.

Source: kserve/kserve v0.20.0 pkg/controller/v1alpha1/utils/utils.go (CheckNodeAffinity), by which a group whose volume
names no nodes has none; k8s.io/component-helpers/scheduling/corev1/nodeaffinity.
"""

from __future__ import annotations

from typing import Any

from sampan.components.serving.api.reading import by_text, child, mappings, text
from sampan.kube import conditions, meta
from sampan.kube.meta import Object
from sampan.kube.requirements import Requirement, requirement


def is_in(node: Object, group: Object) -> bool:
    required = child(meta.spec(group), "persistentVolumeSpec", "nodeAffinity", "required")
    return any(_matches(each, node) for each in mappings(required.get("nodeSelectorTerms")))


def is_ready(node: Object) -> bool:
    return conditions.is_true(node, "Ready")


def _matches(term: Object, node: Object) -> bool:
    """All must hold, and a term that asks for nothing matches nothing."""
    labels, fields = _read(term.get("matchExpressions")), _read(term.get("matchFields"))
    held, its_fields = by_text(meta.labels(node)), {"metadata.name": meta.name(node)}
    return bool(labels or fields) and (
        all(each.matches(held) for each in labels) and all(each.matches(its_fields) for each in fields)
    )


def _read(expressions: Any) -> list[Requirement]:
    return [
        requirement(text(each.get("key")), text(each.get("operator")), each.get("values") or ())
        for each in mappings(expressions)
    ]
