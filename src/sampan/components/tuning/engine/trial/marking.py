"""What the pod templates of a run object are given where no hook of ours sees the pods: on other clusters. Pure.

Called by the reconciler when it creates the run object. The labels are those by which collectors find pods. A
template is whatever looks like one (`template.spec.containers`), so that kinds nobody here knows have theirs found
too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sampan.components.tuning.api import labels
from sampan.components.tuning.engine.collecting.naming import tell_name
from sampan.components.tuning.engine.collecting.wanted import FILE, TF_EVENT, wanted_of
from sampan.components.tuning.engine.trial.running import ImpossibleError
from sampan.kube import meta
from sampan.kube.meta import Object

_MOST_DEPTH = 16


def mark(run: Object, trial: Object) -> None:
    """In place. Raises ImpossibleError for metrics that cannot be read there."""
    wanted = wanted_of(trial)
    if wanted.kind in (FILE, TF_EVENT):
        raise ImpossibleError(
            f"spec.metricsCollector.collector.kind is {wanted.kind}, but files in pods of another cluster cannot be "
            "read: have the metrics printed (StdOut) or reported (Push)"
        )
    marks = {**meta.labels(trial), labels.TRIAL: meta.name(trial)}
    for template in _templates(run):
        metadata = template.setdefault("metadata", {})
        if isinstance(metadata, dict):
            metadata["labels"] = {**_labels(metadata), **marks}
        tell_name(template, wanted.container)
    if run.get("kind") == "Workflow" and isinstance(run.get("spec"), dict):
        shared = run["spec"].get("podMetadata")
        shared = dict(shared) if isinstance(shared, dict) else {}
        run["spec"]["podMetadata"] = {**shared, "labels": {**_labels(shared), **marks}}


def _labels(metadata: Object) -> Object:
    found = metadata.get("labels")
    return found if isinstance(found, dict) else {}


def _templates(run: Object) -> Iterator[Object]:
    if run.get("kind") == "Pod" and run.get("apiVersion") == "v1":
        yield run
        return
    yield from _within(run.get("spec"), 0)


def _within(found: Any, depth: int) -> Iterator[Object]:
    if depth > _MOST_DEPTH:
        return
    if isinstance(found, list):
        for each in found:
            yield from _within(each, depth + 1)
    elif isinstance(found, dict):
        for key, value in found.items():
            spec = value.get("spec") if isinstance(value, dict) else None
            if key == "template" and isinstance(spec, dict) and isinstance(spec.get("containers"), list):
                yield value
            else:
                yield from _within(value, depth + 1)
