"""What a trial asks its collector for: which pods and files to read, for which metrics, and when to stop.

Of the trial's spec; read by the collectors and by the pod hook. Source: kubeflow/katib 0.19
pkg/webhook/v1beta1/pod (inject_webhook.go, utils.go).
"""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sampan.components.tuning.api.reading import objective_of
from sampan.components.tuning.api.suggesting import Objective, Rule
from sampan.kube import meta
from sampan.kube.meta import Object

STDOUT, FILE, TF_EVENT = "StdOut", "File", "TensorFlowEvent"
PROMETHEUS, CUSTOM, PUSH, NONE = "PrometheusMetric", "Custom", "Push", "None"
READ_HERE = (STDOUT, FILE, TF_EVENT, PROMETHEUS)
"""Collectors that are the platform's own. The values of the others are reported to it."""
KINDS = (*READ_HERE, CUSTOM, PUSH, NONE)
DEFAULT_FILE = "/var/log/katib/metrics.log"
DEFAULT_EVENTS = "/var/log/katib/tfevent/"
TEXT, JSON = "TEXT", "JSON"
_UPSTREAMS = {"file-metrics-collector": FILE, "tfevent-metrics-collector": TF_EVENT}
"""Images of upstream's collectors, whatever registry they come from."""


@dataclass(frozen=True, slots=True)
class Wanted:
    namespace: str
    trial: str
    kind: str
    objective: Objective
    metrics: tuple[str, ...]
    """By name, the objective first."""
    filters: tuple[str, ...]
    """Regular expressions of a name and a value; none for the default."""
    path: str
    """Of a file or a folder, as the container sees it; empty where none is read."""
    format: str
    http: Mapping[str, Any]
    rules: tuple[Rule, ...]
    pod_labels: Mapping[str, str]
    container: str
    """The one that trains; empty for the first."""
    shown: Mapping[str, Any] = field(default_factory=dict)
    """The container of a custom collector of upstream's image, whose work is done as if it were not custom."""

    @property
    def folder(self) -> str:
        """What of the pod holds the metrics' files, for a volume; empty where none does."""
        if not self.path:
            return ""
        return self.path.rstrip("/") if self.kind == TF_EVENT else posixpath.dirname(self.path)

    def is_primary(self, pod: Object) -> bool:
        """Whether the pod's metrics count."""
        found = meta.labels(pod)
        return all(found.get(name) == value for name, value in self.pod_labels.items())

    def container_of(self, pod: Object) -> str:
        """The name of the container in that pod; empty where it has none of that name."""
        names = [str(each.get("name")) for each in meta.spec(pod).get("containers") or ()]
        if not self.container:
            return names[0] if names else ""
        return self.container if self.container in names else ""


def wanted_of(trial: Object) -> Wanted:
    spec = meta.spec(trial)
    objective = objective_of(spec)
    collecting = _mapping(spec.get("metricsCollector"))
    source, kind = _mapping(collecting.get("source")), _kind(collecting)
    file, path = _mapping(source.get("fileSystemPath")), ""
    if kind in (FILE, CUSTOM):
        path = str(file.get("path") or (DEFAULT_FILE if kind == FILE else ""))
    elif kind == TF_EVENT:
        path = str(file.get("path") or DEFAULT_EVENTS)
    wanted = Wanted(
        namespace=meta.namespace(trial),
        trial=meta.name(trial),
        kind=kind,
        objective=objective,
        metrics=tuple(dict.fromkeys(each for each in (objective.metric, *objective.additional) if each)),
        filters=tuple(str(each) for each in _list(_mapping(source.get("filter")).get("metricsFormat"))),
        path=path,
        format=str(file.get("format") or TEXT) if kind == FILE else TEXT,
        http=_mapping(source.get("httpGet")),
        rules=rules_of(spec),
        pod_labels={str(key): str(each) for key, each in _mapping(spec.get("primaryPodLabels")).items()},
        container=str(spec.get("primaryContainerName") or ""),
    )
    return _as_upstreams(wanted, _mapping(_mapping(collecting.get("collector")).get("customCollector")))


def _as_upstreams(wanted: Wanted, container: Mapping[str, Any]) -> Wanted:
    """A custom collector of upstream's image reads what its arguments say. Source: kubeflow/katib 0.19
    cmd/metricscollector/v1beta1/file-metricscollector/main.go, tfevent-metricscollector/main.py."""
    kind = _UPSTREAMS.get(image_name(str(container.get("image") or "")))
    if wanted.kind != CUSTOM or kind is None or container.get("command"):
        return wanted
    args = [str(each) for each in _list(container.get("args"))]
    flags = dict(itertools.pairwise(args))
    return replace(
        wanted,
        kind=kind,
        path=flags.get("-path") or wanted.path or (DEFAULT_FILE if kind == FILE else DEFAULT_EVENTS),
        format=flags.get("-format") or TEXT,
        filters=tuple(filter(None, flags.get("-f", "").split(";"))) or wanted.filters,
        shown=container,
    )


def image_name(image: str) -> str:
    """Without registry, tag and digest."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _kind(collecting: Mapping[str, Any]) -> str:
    return str(_mapping(collecting.get("collector")).get("kind") or STDOUT)


def rules_of(spec: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Of the spec of a trial: when it is to be stopped early."""
    return tuple(
        Rule(
            str(each.get("name") or ""),
            str(each.get("value") or ""),
            str(each.get("comparison") or ""),
            _whole(each.get("startStep")),
        )
        for each in _list(spec.get("earlyStoppingRules"))
        if isinstance(each, Mapping)
    )


def _whole(found: Any) -> int:
    return found if isinstance(found, int) else 0


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, (dict, Mapping)) else {}


def _list(found: Any) -> Sequence[Any]:
    return found if isinstance(found, list | tuple) else ()
