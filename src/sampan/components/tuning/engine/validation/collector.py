"""How metrics are found.

Source: kubeflow/katib 0.19 pkg/webhook/v1beta1/experiment/validator/validator.go (validateMetricsCollector). Kinds need
no entry in katib-config: collecting is the server's. `None`, which upstream has and refuses, collects nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from posixpath import isabs
from typing import Any

from sampan.components.tuning.engine.collecting.lines import compiled
from sampan.components.tuning.engine.collecting.wanted import NONE, PUSH
from sampan.components.tuning.engine.validation.reading import Anything, at, items, text
from sampan.kube.fielderrors import FieldErrors

_PATH = "spec.metricsCollectorSpec"
_SOURCE = f"{_PATH}.source"


def check(spec: Anything, errors: FieldErrors) -> None:
    collecting = at(spec, "metricsCollectorSpec")
    kind = text(at(collecting, "collector"), "kind")
    ask = _KINDS.get(kind)
    if ask is None:
        errors.invalid(f"{_PATH}.collector.kind", kind, f"invalid metrics collector kind: {kind}")
        return
    ask(collecting, errors)
    if kind not in (PUSH, NONE):
        _filter(at(at(collecting, "source"), "filter"), errors)


def _file(collecting: Anything, errors: FieldErrors) -> None:
    source = at(collecting, "source")
    file = at(source, "fileSystemPath")
    if text(file, "kind") != "File" or not isabs(text(file, "path")):
        errors.required(f"{_SOURCE}.fileSystemPath.path", "file path where metrics file exists is required")
    form = text(file, "format")
    if form not in ("TEXT", "JSON"):
        detail = "format of metrics file is required for metrics collector"
        errors.required(f"{_SOURCE}.fileSystemPath.format", detail)
    if form == "JSON" and source.get("filter") is not None:
        errors.invalid(f"{_SOURCE}.filter", "", "filter must be nil when format of metrics file is json")


def _events(collecting: Anything, errors: FieldErrors) -> None:
    folder = at(at(collecting, "source"), "fileSystemPath")
    if text(folder, "kind") != "Directory" or not isabs(text(folder, "path")):
        errors.required(
            _SOURCE,
            "directory path where tensorflow event files exist is required by "
            ".spec.metricsCollectorSpec.source.fileSystemPath.path",
        )
    if text(folder, "format"):
        errors.invalid(f"{_SOURCE}.fileSystemPath.format", text(folder, "format"), "must be empty")


def _prometheus(collecting: Anything, errors: FieldErrors) -> None:
    page = at(at(collecting, "source"), "httpGet")
    port, path = text(page, "port"), text(page, "path")
    if not port.isdecimal() or int(port) <= 0:
        detail = "must be a positive integer value for metrics collector kind: PrometheusMetric"
        errors.invalid(f"{_SOURCE}.httpGet.port", port, detail)
    if not path.startswith("/"):
        detail = "path is invalid for metrics collector kind: PrometheusMetric"
        errors.invalid(f"{_SOURCE}.httpGet.path", path, detail)


def _custom(collecting: Anything, errors: FieldErrors) -> None:
    if not isinstance(at(collecting, "collector").get("customCollector"), Mapping):
        detail = "metrics collector kind: Custom is required"
        errors.required(f"{_PATH}.collector.customCollector", detail)
    held = at(collecting, "source").get("fileSystemPath")
    if held is not None and not (isabs(text(held, "path")) and text(held, "kind") in ("Directory", "File")):
        detail = ".spec.metricsCollectorSpec.source is invalid"
        errors.invalid(f"{_SOURCE}.fileSystemPath", "", detail)


def _filter(found: Anything, errors: FieldErrors) -> None:
    path = f"{_SOURCE}.filter.metricsFormat"
    for expression in items(found, "metricsFormat"):
        try:
            groups = compiled(str(expression)).groups
        except ValueError as error:
            errors.invalid(path, expression, f"invalid filter: {error}")
            continue
        if groups < 2 or not _has_two(str(expression)):
            errors.invalid(path, expression, "two top subexpressions are required")


def _has_two(expression: str) -> bool:
    r"""Whether `.*\(.*\).*\(.*\).*`, which upstream asks, is found in it: in time linear in the text."""
    for line in expression.split("\n"):
        at = 0
        for bracket in "()()":
            at = line.find(bracket, at) + 1
            if not at:
                break
        else:
            return True
    return False


def _nothing(_collecting: Any, _errors: FieldErrors) -> None:
    return


_KINDS: Mapping[str, Callable[[Anything, FieldErrors], None]] = {
    "StdOut": _nothing,
    "Push": _nothing,
    "None": _nothing,
    "File": _file,
    "TensorFlowEvent": _events,
    "PrometheusMetric": _prometheus,
    "Custom": _custom,
}
