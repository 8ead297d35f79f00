"""The parameters of a Workflow that a run may give: those of `spec.arguments`, with what kfp 1.8 says of them.

kfp 1.8 writes names, types and defaults into the annotation `pipelines.kubeflow.org/pipeline_spec`; the arguments
themselves have names and defaults only, as text.

Source: kubeflow/pipelines 1.8 sdk/python/kfp/compiler/compiler.py, backend/src/common/util/workflow.go
(VerifyParameters, OverrideParameters).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sampan.components.pipelines.api.argo.document import ArgoDocument
from sampan.components.pipelines.api.errors import InvalidArgumentError


def declared(document: ArgoDocument) -> dict[str, Any]:
    """Each parameter's value, None for one that has none."""
    listed = (document.spec.get("arguments") or {}).get("parameters") or ()
    return {str(each["name"]): each.get("value", each.get("default")) for each in listed if "name" in each}


def check_parameters(document: ArgoDocument, given: Mapping[str, Any]) -> None:
    """Raises InvalidArgumentError for names that the Workflow does not know, and for those that have no value."""
    known = declared(document)
    unknown = sorted(given.keys() - known.keys())
    if unknown:
        names = ", ".join(known) or "none"
        raise InvalidArgumentError(f"Unrecognized input parameter: {unknown[0]}; the workflow has: {names}")
    lacking = [name for name, value in known.items() if value is None and name not in given]
    if lacking:
        raise InvalidArgumentError(f'parameter "{lacking[0]}" has no value: give it one')


def as_text(value: Any) -> str:
    """A parameter's value as Argo has it: text, and JSON for everything that is not."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
