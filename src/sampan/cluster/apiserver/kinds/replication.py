"""core/v1 PodTemplate and ReplicationController: stored and served, no controller acts on them.

Source: kubernetes/pkg/apis/core/v1/defaults.go, pkg/apis/core/validation/validation.go,
pkg/registry/core/{podtemplate,replicationcontroller}/strategy.go, pkg/printers/internalversion/printers.go, v1.34.
"""

from __future__ import annotations

from datetime import datetime

from sampan.cluster.apiserver.kinds.templates import (
    WIDE,
    default_template,
    non_negative,
    of_containers,
    read,
    validate_always,
    validate_template,
)
from sampan.cluster.apiserver.strategy import Column, ScalePaths, SelectableField, Strategy
from sampan.cluster.apiserver.tables import AGE, NAME
from sampan.kube import meta, selectors
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

_TEMPLATES = Resource("", "v1", "PodTemplate", "podtemplates", singular="podtemplate", subresources=())
_CONTROLLERS = Resource(
    "",
    "v1",
    "ReplicationController",
    "replicationcontrollers",
    singular="replicationcontroller",
    short_names=("rc",),
    categories=("all",),
    subresources=("status", "scale"),
)


def _validate_pod_template(template: Object, errors: FieldErrors) -> None:
    validate_template(template["template"], "template", errors)


def _default_controller(controller: Object) -> None:
    spec = controller.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    default_template(spec)
    labels = meta.labels(spec["template"])
    if labels:
        if not spec.get("selector"):
            spec["selector"] = dict(labels)
        if not meta.labels(controller):
            controller["metadata"]["labels"] = dict(labels)


def _prepare_controller(controller: Object) -> None:
    controller["status"] = {"replicas": 0}


def _validate_controller(controller: Object, errors: FieldErrors) -> None:
    spec = controller["spec"]
    non_negative(spec, ("replicas", "minReadySeconds"), "spec", errors)
    selector = spec.get("selector")
    if not selector:
        errors.required("spec.selector")
    elif not selector.items() <= meta.labels(spec["template"]).items():
        errors.invalid(
            "spec.template.metadata.labels",
            meta.labels(spec["template"]),
            "`selector` does not match template `labels`",
        )
    validate_template(spec["template"], "spec.template", errors)
    validate_always(
        spec["template"], "activeDeadlineSeconds in ReplicationController is not Supported", errors
    )


def _selector(controller: Object, _: datetime) -> str:
    return selectors.format_labels(meta.spec(controller).get("selector") or {}) or "<none>"


STRATEGIES = (
    Strategy(
        resource=_TEMPLATES,
        default=default_template,
        validate=_validate_pod_template,
        generations=True,
        returns_deleted=True,
        columns=(
            NAME,
            Column("Containers", of_containers("name", "template.spec.containers")),
            Column("Images", of_containers("image", "template.spec.containers")),
            Column(
                "Pod Labels",
                lambda each, _: selectors.format_labels(meta.labels(each["template"])) or "<none>",
            ),
        ),
    ),
    Strategy(
        resource=_CONTROLLERS,
        default=_default_controller,
        prepare_create=_prepare_controller,
        validate=_validate_controller,
        generations=True,
        scale=ScalePaths(),
        fields={"status.replicas": SelectableField("status.replicas", "0")},
        columns=(
            NAME,
            Column("Desired", read("spec.replicas"), type="integer"),
            Column("Current", read("status.replicas"), type="integer"),
            Column("Ready", read("status.readyReplicas"), type="integer"),
            AGE,
            *WIDE,
            Column("Selector", _selector, priority=1),
        ),
    ),
)
