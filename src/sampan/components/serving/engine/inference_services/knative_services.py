"""What Knative's clients see of a component in mode Knative: a Service of `serving.knative.dev`. Pure.

It says which template the newest revision has, which revisions there are and how much of the traffic each gets.

It is shown and not acted on: whoever changes it changes nothing.
Source: knative.dev/serving 1.22 pkg/apis/serving/v1/service_types.go, pkg/reconciler/service/service.go.
"""

from __future__ import annotations

from typing import Any

from sampan.components.serving.api.kinds import KNATIVE_SERVICES
from sampan.components.serving.engine.inference_services.conditions import Verdict, both
from sampan.components.serving.engine.inference_services.traffic import Rollout, Share
from sampan.kube import meta
from sampan.kube.meta import Object


def knative_service(
    name: str, deployment: Object, now: Rollout, configuration: Verdict, route: Verdict
) -> Object:
    """Of the component of that name, whose newest revision is the Deployment."""
    template = meta.spec(deployment)["template"]
    address = f"http://{name}.{meta.namespace(deployment)}.svc.cluster.local"
    return {
        "apiVersion": KNATIVE_SERVICES.api_version,
        "kind": KNATIVE_SERVICES.kind,
        "metadata": {"name": name, "namespace": meta.namespace(deployment)},
        "spec": {
            "template": {
                "metadata": {
                    "labels": meta.labels(template),
                    "annotations": {**meta.annotations(deployment), **meta.annotations(template)},
                },
                "spec": template.get("spec") or {},
            },
            "traffic": [_wanted(each) for each in now.traffic],
        },
        "status": {
            "address": {"url": address},
            "url": address,
            "latestCreatedRevisionName": now.latest_created,
            **({"latestReadyRevisionName": now.latest_ready} if now.latest_ready else {}),
            "traffic": [{**_wanted(each), "revisionName": each.revision} for each in now.traffic],
            "conditions": [
                _condition(kind, verdict)
                for kind, verdict in (
                    ("ConfigurationsReady", configuration),
                    ("Ready", both(configuration, route)),
                    ("RoutesReady", route),
                )
            ],
        },
    }


def _wanted(share: Share) -> dict[str, Any]:
    found: dict[str, Any] = {"latestRevision": share.is_latest, "percent": share.percent}
    if not share.is_latest:
        found["revisionName"] = share.revision
    return {**found, "tag": share.tag} if share.tag else found


def _condition(kind: str, verdict: Verdict) -> dict[str, str]:
    said = {"type": kind, "status": verdict.status, "reason": verdict.reason, "message": verdict.message}
    return {key: value for key, value in said.items() if value}
