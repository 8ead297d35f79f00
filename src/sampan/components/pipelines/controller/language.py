"""Argo's language as the reconciler needs it: `ports.Language` over the readers in `api.argo` and `engine.argo`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sampan.client.protocol import Object
from sampan.components.pipelines.api.argo import document as argo
from sampan.components.pipelines.api.argo.validate import check_shape, validate
from sampan.components.pipelines.api.packages import check_expanded
from sampan.components.pipelines.controller.templates import Templates
from sampan.components.pipelines.engine.argo.manifest import status_of
from sampan.components.pipelines.store.runs import RunRow
from sampan.components.pipelines.store.tasks import TaskRow
from sampan.kube import meta

_METADATA = ("name", "generateName", "namespace", "uid", "labels", "annotations", "creationTimestamp")


class ArgoLanguage:
    def prepare(self, workflow: Object, templates: Templates) -> str:
        """With the templates it refers to: those that change later change no run. Raises InvalidArgumentError."""
        metadata = {key: value for key, value in meta.metadata(workflow).items() if key in _METADATA}
        kept = {
            "apiVersion": workflow.get("apiVersion"),
            "kind": "Workflow",
            "metadata": metadata,
            "spec": workflow.get("spec"),
        }
        check_shape(kept)
        document = argo.resolve(argo.load(kept), lambda kind, name: templates.get((kind, name)))
        stored = document.to_json()
        check_expanded(stored)
        validate(document)
        return json.dumps(stored, ensure_ascii=False, separators=(",", ":"))

    def status(self, row: RunRow, tasks: Sequence[TaskRow]) -> tuple[dict[str, Any], dict[str, str]]:
        return status_of(row, tasks)
