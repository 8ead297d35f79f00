"""Argo's kinds as Kubernetes serves them: names, columns and definitions. Data only; what they mean is elsewhere.

The component's door declares them, the controller and REST address them.

Source: argo-workflows 3.7 manifests/base/crds/minimal, workflow/common/common.go (labels and annotations).
"""

from __future__ import annotations

from typing import Any

from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

GROUP = "argoproj.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

PHASE_LABEL = "workflows.argoproj.io/phase"
COMPLETED_LABEL = "workflows.argoproj.io/completed"
WORKFLOW_LABEL = "workflows.argoproj.io/workflow"
TEMPLATE_LABEL = "workflows.argoproj.io/workflow-template"
CLUSTER_TEMPLATE_LABEL = "workflows.argoproj.io/cluster-workflow-template"
CRON_LABEL = "workflows.argoproj.io/cron-workflow"
INSTANCE_LABEL = "workflows.argoproj.io/controller-instanceid"
SCHEDULED_ANNOTATION = "workflows.argoproj.io/scheduled-time"

WORKFLOWS = Resource(
    GROUP, VERSION, "Workflow", "workflows", singular="workflow", short_names=("wf",), subresources=()
)
WORKFLOW_TEMPLATES = Resource(
    GROUP,
    VERSION,
    "WorkflowTemplate",
    "workflowtemplates",
    singular="workflowtemplate",
    short_names=("wftmpl",),
    subresources=(),
)
CLUSTER_WORKFLOW_TEMPLATES = Resource(
    GROUP,
    VERSION,
    "ClusterWorkflowTemplate",
    "clusterworkflowtemplates",
    namespaced=False,
    singular="clusterworkflowtemplate",
    short_names=("clusterwftmpl", "cwft"),
    subresources=(),
)
CRON_WORKFLOWS = Resource(
    GROUP,
    VERSION,
    "CronWorkflow",
    "cronworkflows",
    singular="cronworkflow",
    short_names=("cwf", "cronwf"),
    subresources=(),
)
EVENT_BINDINGS = Resource(
    GROUP,
    VERSION,
    "WorkflowEventBinding",
    "workfloweventbindings",
    singular="workfloweventbinding",
    short_names=("wfeb",),
    subresources=(),
)
"""Stored only: nothing here sends the events that they wait for."""


def _column(name: str, path: str, about: str, type_: str = "string", **more: Any) -> Object:
    return {"name": name, "jsonPath": path, "description": about, "type": type_, **more}


_WORKFLOW_COLUMNS = (
    _column("Status", ".status.phase", "Status of the workflow"),
    _column("Age", ".status.startedAt", "When the workflow was started", "date", format="date-time"),
    _column("Message", ".status.message", "Why the workflow is in this state"),
)


def _definition(resource: Resource, columns: tuple[Object, ...] = ()) -> Object:
    """Everything below spec and status is kept as it was written, as with upstream's minimal definitions."""
    # Not a map-type of their own: who applies a field of a Workflow owns that field.
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version: dict[str, Any] = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "required": ["metadata", "spec"],
                "properties": {
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": {"type": "object"},
                    "spec": anything,
                    "status": anything,
                },
            }
        },
    }
    if columns:
        version["additionalPrinterColumns"] = [dict(each) for each in columns]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": resource.key},
        "spec": {
            "group": resource.group,
            "names": {
                "kind": resource.kind,
                "listKind": resource.collection_kind,
                "plural": resource.plural,
                "singular": resource.singular,
                "shortNames": list(resource.short_names),
            },
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "versions": [version],
        },
    }


DEFINITIONS: tuple[Object, ...] = (
    _definition(WORKFLOWS, _WORKFLOW_COLUMNS),
    *(
        _definition(each)
        for each in (WORKFLOW_TEMPLATES, CLUSTER_WORKFLOW_TEMPLATES, CRON_WORKFLOWS, EVENT_BINDINGS)
    ),
)
