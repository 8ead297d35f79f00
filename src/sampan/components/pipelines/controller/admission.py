"""What cannot run is refused when it is written, with the field's path: a hook of the embedded API server.

On other clusters there is no such hook: there the controller says the same in the Workflow's status. A template may
refer to others that come later; only a Workflow, which runs now, must find all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.workflow_kinds import (
    CLUSTER_WORKFLOW_TEMPLATES,
    CRON_WORKFLOWS,
    INSTANCE_LABEL,
    WORKFLOW_TEMPLATES,
    WORKFLOWS,
)
from sampan.kube import meta
from sampan.kube.admission import AdmissionRequest, MutatingHook, Reader
from sampan.kube.errors import Cause, invalid
from sampan.kube.meta import Object

Template = Callable[[str, str], Mapping[str, Any] | None]
"""(kind, name) to the object of that template, if it is there."""
Check = Callable[[Object, Template], None]
"""Of one kind. Raises InvalidArgumentError, which names the field."""

_FIELD = re.compile(r"((?:spec|metadata)[\w.\[\]\-/]*): (.*)", re.DOTALL)


def hook(checks: Callable[[], Mapping[str, Check]]) -> MutatingHook:
    """`checks` gives those of each kind; it is called when the first object is written, and may take a while."""

    def admit(request: AdmissionRequest, obj: Object, old: Object | None, reader: Reader) -> Object:
        if old is not None and old.get("spec") == obj.get("spec"):
            return obj
        # Another controller's, by its label: whether it can run is not for us to say.
        if meta.labels(obj).get(INSTANCE_LABEL) or meta.is_deleting(obj):
            return obj

        def template(kind: str, name: str) -> Object | None:
            if kind == "ClusterWorkflowTemplate":
                return reader.get(CLUSTER_WORKFLOW_TEMPLATES, name)
            return reader.get(WORKFLOW_TEMPLATES, name, request.namespace)

        try:
            checks()[request.resource.kind](obj, template)
        except InvalidArgumentError as error:
            group, kind = request.resource.group, request.resource.kind
            raise invalid(group, kind, request.name, [cause(error.message)]) from error
        return obj

    kinds = (WORKFLOWS, WORKFLOW_TEMPLATES, CLUSTER_WORKFLOW_TEMPLATES, CRON_WORKFLOWS)
    return MutatingHook("argo-workflows", kinds, admit, operations=("CREATE", "UPDATE"))


def cause(message: str) -> Cause:
    found = _FIELD.fullmatch(message)
    return Cause("FieldValueInvalid", *(found.groups() if found else ("spec", message)))
