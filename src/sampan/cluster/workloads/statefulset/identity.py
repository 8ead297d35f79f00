"""What makes a pod of a StatefulSet the one it is: its name, labels, host name and claims. Pure.

Source: pkg/controller/statefulset/stateful_set_utils.go, v1.33.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.workloads.podcontrol import from_template
from sampan.kube import meta

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"
REVISION = "controller-revision-hash"


def pod_name(stateful_set: Object, ordinal: int) -> str:
    return f"{meta.name(stateful_set)}-{ordinal}"


def ordinal_of(stateful_set: Object, pod: Object) -> int | None:
    """None for a pod that does not carry the set's name."""
    parent, _, text = meta.name(pod).rpartition("-")
    fits = parent == meta.name(stateful_set) and text.isdecimal() and text.isascii() and len(text) < 10
    return int(text) if fits else None


def revision_of(pod: Object) -> str:
    return str(meta.labels(pod).get(REVISION) or "")


def desired(stateful_set: Object, ordinal: int, revision: str) -> Object:
    """The pod, made from the template that the given set holds."""
    pod = from_template(stateful_set, meta.spec(stateful_set).get("template") or {})
    metadata, spec = pod["metadata"], pod["spec"]
    del metadata["generateName"]
    metadata["name"] = pod_name(stateful_set, ordinal)
    metadata["labels"][REVISION] = revision
    metadata["labels"] |= identity_labels(stateful_set, ordinal)
    spec["hostname"] = metadata["name"]
    if service := meta.spec(stateful_set).get("serviceName"):
        spec["subdomain"] = service
    if claims := claim_names(stateful_set, ordinal):
        volumes = [
            {"name": name, "persistentVolumeClaim": {"claimName": claim, "readOnly": False}}
            for name, claim in claims.items()
        ]
        others = [each for each in spec.get("volumes") or () if each.get("name") not in claims]
        spec["volumes"] = [*volumes, *others]
    return pod


def identity_labels(stateful_set: Object, ordinal: int) -> dict[str, str]:
    return {POD_NAME: pod_name(stateful_set, ordinal), POD_INDEX: str(ordinal)}


def has_identity(stateful_set: Object, pod: Object, ordinal: int) -> bool:
    return identity_labels(stateful_set, ordinal).items() <= meta.labels(pod).items()


def claim_names(stateful_set: Object, ordinal: int) -> dict[str, str]:
    """By the volume's name."""
    names = [meta.name(each) for each in meta.spec(stateful_set).get("volumeClaimTemplates") or ()]
    return {name: f"{name}-{pod_name(stateful_set, ordinal)}" for name in names}


def claims(stateful_set: Object, ordinal: int) -> list[Object]:
    """The PersistentVolumeClaims of a pod, as they are made."""
    names = claim_names(stateful_set, ordinal)
    selected = (meta.spec(stateful_set).get("selector") or {}).get("matchLabels") or {}
    found = []
    for template in meta.spec(stateful_set).get("volumeClaimTemplates") or ():
        metadata: dict[str, Any] = {
            "name": names[meta.name(template)],
            "namespace": meta.namespace(stateful_set),
            "labels": {**meta.labels(template), **selected},
        }
        if meta.annotations(template):
            metadata["annotations"] = dict(meta.annotations(template))
        found.append({"metadata": metadata, "spec": deepcopy(meta.spec(template))})
    return found
