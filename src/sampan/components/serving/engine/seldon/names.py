"""What a SeldonDeployment's children are called.

Source: seldon-core 1.18.2 operator/apis/machinelearning.seldon.io/v1/seldondeployment_types.go. Names longer than
Kubernetes takes become a digest, and so do label values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

_MOST = 63
SVC_NAME = "seldon.io/svc-name"
"""Annotation of a predictor: the name of its Service."""
EXECUTOR = "seldon-container-engine"
CLUSTER_DOMAIN = "svc.cluster.local"


def seldon_id(name: str) -> str:
    return _short(name)


def predictor_key(name: str, predictor: Mapping[str, Any]) -> str:
    """Of a predictor's Service, at which its executor is asked."""
    own = (predictor.get("annotations") or {}).get(SVC_NAME)
    return str(own) if own else _short(f"{name}-{predictor.get('name')}")


def deployment(name: str, predictor: Mapping[str, Any], pod: Mapping[str, Any], index: int) -> str:
    own = (pod.get("metadata") or {}).get("name")
    containers: Sequence[Mapping[str, Any]] = (pod.get("spec") or {}).get("containers") or ()
    last = own or "-".join(str(each.get("name")) for each in containers)
    return _short(f"{name}-{predictor.get('name')}-{index}-{last}")


def orchestrator(name: str, predictor: Mapping[str, Any]) -> str:
    """Of an executor that has a pod of its own."""
    return _short(f"{name}-{predictor.get('name')}-svc-orch")


def container_service(name: str, predictor: Mapping[str, Any], container: str) -> str:
    return _short(f"{name}-{predictor.get('name')}-{container}")


def explainer(name: str, predictor: Mapping[str, Any]) -> str:
    return _short(f"{name}-{predictor.get('name')}-explainer")


def cluster_host(service: str, namespace: str) -> str:
    return f"{service}.{namespace}.{CLUSTER_DOMAIN}"


def _short(name: str) -> str:
    if len(name) <= _MOST:
        return name
    return f"seldon-{hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()}"
