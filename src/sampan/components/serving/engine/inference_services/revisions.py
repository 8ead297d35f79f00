"""Mode Knative: the revisions of a component, and what each consists of. Pure.

A revision is a Deployment and a Service of its own; the Deployment is all that is kept of it. What makes a revision
is its template as the spec says it: what is injected into pods (storage, the agent) follows the newest without a new
one, as upstream's webhook does with each new pod.

Source: knative.dev/serving 1.22 pkg/reconciler/configuration/configuration.go, pkg/reconciler/revision/resources
(deploy.go, meta.go), pkg/gc/config.go.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.engine.inference_services import names, pods, scaling
from sampan.components.serving.engine.inference_services.spec import Component
from sampan.components.serving.engine.inference_services.traffic import Rollout
from sampan.kube import conditions, meta
from sampan.kube.kinds import DEPLOYMENTS, SERVICES
from sampan.kube.meta import Object

DIGEST = "sampan.dev/template"
"""An annotation of a revision's Deployment: what its template is told by."""
_BESIDE_THE_TEMPLATE = (
    *("containerConcurrency", "timeout", "logger", "batcher"),
    *("storageUris", "storageContainerName"),
)
"""What a change of makes a revision too."""
PENDING = "pending"
"""The routing state of one that has not been ready yet."""
_SERVICE, _GENERATION, _UID = (
    "serving.knative.dev/service",
    "serving.knative.dev/configurationGeneration",
    "serving.knative.dev/serviceUID",
)
_KEPT = 5
"""Revisions that are kept although nobody refers to them, newest first. Upstream's 20 cost objects only; so do
these."""
_PROGRESS_SECONDS = 600
_TIMEOUT_SECONDS = 300
PROBE_SECONDS = 1
"""Upstream's queue-proxy asks every 25 ms; the first request waits for the answer."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One that there is."""

    name: str
    deployment: Object

    @property
    def number(self) -> int:
        return names.number_of(self.name)

    @property
    def digest(self) -> str:
        return meta.annotations(self.deployment).get(DIGEST, "")

    @property
    def routing_state(self) -> str:
        return meta.labels(self.deployment).get(labels.ROUTING_STATE, "")

    @property
    def is_ready_now(self) -> bool:
        """Or has been, as far as its Deployment tells."""
        if self.routing_state == labels.ACTIVE:
            return True
        needed = scaling.needed_replicas(meta.annotations(self.deployment))
        return int(meta.status(self.deployment).get("readyReplicas") or 0) >= needed


def of(configuration: str, deployments: Iterable[Object]) -> tuple[Revision, ...]:
    """Oldest first. Those on their way out are left out."""
    found = []
    for each in deployments:
        held = meta.labels(each)
        name = held.get(labels.REVISION, "")
        if held.get(labels.CONFIGURATION) == configuration and name and not meta.is_deleting(each):
            found.append(Revision(name, each))
    return tuple(sorted(found, key=lambda revision: revision.number))


def ready(found: Sequence[Revision], old: Rollout) -> list[str]:
    """Names of those that are ready or have been."""
    known = {old.latest_ready, old.latest_rolled_out, old.previous_rolled_out}
    return [each.name for each in found if each.name in known or each.is_ready_now]


def digest(template: Object, component: Component) -> str:
    """Of what makes a revision."""
    told = [template, *(component.spec.get(key) for key in _BESIDE_THE_TEMPLATE)]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:32]


def newest(configuration: str, found: Sequence[Revision], old: Rollout, wanted: str) -> str:
    """The name of the revision that has the template of that digest, be it there or still to be made."""
    last = found[-1] if found else None
    created = max(names.number_of(old.latest_created), last.number if last else 0)
    if last is not None and last.number == created:
        number = created if last.digest == wanted else created + 1
    else:
        # It is known and gone: somebody deleted it. One like it takes its place.
        number = max(created, 1)
    return names.revision_name(configuration, number)


def stale(found: Sequence[Revision], now: Rollout) -> list[Revision]:
    """What is to go: revisions that nobody refers to, but for the last few."""
    used = {*now.in_use, now.latest_created, now.latest_ready, now.latest_rolled_out, now.previous_rolled_out}
    unused = [each for each in found if each.name not in used]
    return unused[: max(len(unused) - _KEPT, 0)]


def routing_state(name: str, now: Rollout) -> str:
    if name in now.in_use:
        return labels.ACTIVE
    return PENDING if name == now.latest_created else labels.RESERVE


def with_scaling(template: Object, component: Component, *, zero_at_first: bool) -> Object:
    """The template with what its spec says of scaling, in annotations. Raises ValueError."""
    metadata = meta.metadata(template)
    held = meta.annotations(template)
    annotations = scaling.knative_annotations(component, held, zero_at_first=zero_at_first)
    return {**template, "metadata": {**metadata, "annotations": annotations}}


def deployment(
    isvc: Object, component: Component, name: str, injected: Object, template_digest: str, state: str
) -> Object:
    """Of the revision of that name. `injected` is its template as pods get it. Without replicas: see `first`."""
    held = _labels(isvc, component, name, injected)
    selector = {key: held[key] for key in (labels.REVISION, _UID)}
    annotations = {**meta.annotations(injected), DIGEST: template_digest}
    if component.concurrency:
        annotations[labels.CONTAINER_CONCURRENCY] = str(component.concurrency)
    spec = dict(meta.spec(injected))
    spec.setdefault("terminationGracePeriodSeconds", int(component.spec.get("timeout") or _TIMEOUT_SECONDS))
    spec.setdefault("enableServiceLinks", False)
    return {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.kind,
        "metadata": {
            "name": names.deployment_name(name),
            "namespace": meta.namespace(isvc),
            "labels": {**held, labels.ROUTING_STATE: state},
            "annotations": annotations,
        },
        "spec": {
            "selector": {"matchLabels": selector},
            "progressDeadlineSeconds": _PROGRESS_SECONDS,
            "revisionHistoryLimit": 0,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
            "template": {
                "metadata": {"labels": held, "annotations": meta.annotations(injected)},
                "spec": spec,
            },
        },
    }


def first(wanted: Object) -> Object:
    """A Deployment as it is made: with replicas, which nobody but its autoscaler changes afterwards."""
    replicas = scaling.first_replicas(meta.annotations(wanted))
    return {**wanted, "spec": {**wanted["spec"], "replicas": replicas}}


def service(component: Component, wanted: Object) -> Object:
    """In front of the pods of the Deployment `wanted`; of the revision's name."""
    held = meta.labels(wanted)
    kept = {key: value for key, value in held.items() if key != labels.ROUTING_STATE}
    return {
        "apiVersion": SERVICES.api_version,
        "kind": SERVICES.kind,
        "metadata": {
            "name": held[labels.REVISION],
            "namespace": meta.namespace(wanted),
            "labels": kept,
        },
        "spec": {
            "type": "ClusterIP",
            "selector": wanted["spec"]["selector"]["matchLabels"],
            "ports": pods.ports(
                component, pods.serving_container(wanted["spec"]["template"]["spec"]), "http"
            ),
        },
    }


def autoscaler(wanted: Object) -> Object | None:
    """Where Kubernetes' own is asked for by annotation."""
    annotations = meta.annotations(wanted)
    if annotations.get(labels.SCALING_CLASS) != labels.HPA:
        return None
    held = {key: value for key, value in meta.labels(wanted).items() if key != labels.ROUTING_STATE}
    metadata = {
        "name": held[labels.REVISION],
        "namespace": meta.namespace(wanted),
        "labels": held,
    }
    return scaling.revision_autoscaler(annotations, metadata, meta.name(wanted))


def has_timed_out(deployment: Object) -> bool:
    progressing: Mapping[str, Any] = conditions.find(deployment, "Progressing") or {}
    return progressing.get("status") == "False" and progressing.get("reason") == "ProgressDeadlineExceeded"


def _labels(isvc: Object, component: Component, name: str, injected: Object) -> dict[str, str]:
    return {
        "app": name,
        **meta.labels(injected),
        labels.REVISION: name,
        labels.CONFIGURATION: component.name,
        _SERVICE: component.name,
        _GENERATION: str(names.number_of(name)),
        _UID: meta.uid(isvc),
    }
