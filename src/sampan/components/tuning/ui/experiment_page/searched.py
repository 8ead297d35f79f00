"""What an experiment may choose, and how it goes about it, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.tuning.api import labels
from sampan.components.tuning.api.reading import annotated, named_values
from sampan.components.tuning.api.suggesting import FeasibleSpace, Parameter
from sampan.components.tuning.api.summary import Summary
from sampan.components.tuning.ui import states
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.ui.table.table import Column, Row

COLUMNS = (
    Column("name", "Parameter"),
    Column("type", "Type"),
    Column("space", "Values"),
    Column("distribution", "Tried"),
    Column("best", "Best"),
)
_DISTRIBUTIONS = {
    "uniform": "evenly",
    "logUniform": "evenly by logarithm",
    "normal": "most in the middle",
    "logNormal": "most in the middle of the logarithms",
}
_COLLECTORS = {
    "StdOut": "what they print",
    "File": "a file",
    "TensorFlowEvent": "TensorFlow's event files",
    "PrometheusMetric": "their Prometheus metrics",
    "Custom": "a collector of one's own",
    "Push": "what they report",
    "None": "nothing",
}


def rows(experiment: Summary) -> list[Row]:
    best = experiment.best.assignments if experiment.best is not None else {}
    return [
        Row(
            each.name,
            {
                "name": each.name,
                "type": each.type,
                "space": space(each.space),
                "distribution": "" if each.type in ("categorical", "discrete") else _distribution(each),
                "best": states.value(best.get(each.name)),
            },
        )
        for each in experiment.parameters
    ]


def space(found: FeasibleSpace) -> str:
    if found.list:
        return ", ".join(found.list)
    step = f", in steps of {found.step}" if found.step else ""
    return f"{found.min} to {found.max}{step}"


def _distribution(parameter: Parameter) -> str:
    return _DISTRIBUTIONS.get(parameter.space.distribution, parameter.space.distribution)


def facts(obj: Object, experiment: Summary) -> dict[str, str]:
    spec = meta.spec(obj)
    algorithm, stopping = _mapping(spec.get("algorithm")), _mapping(spec.get("earlyStopping"))
    template = _mapping(spec.get("trialTemplate"))
    found = {
        "Algorithm": _named(experiment.algorithm, algorithm.get("algorithmSettings")),
        "Stops trials early": _named(experiment.early_stopping, stopping.get("algorithmSettings")),
        "Metrics": _metrics(experiment),
        "Further objectives": _objectives(obj),
        "Bounds": _bounds(obj),
        "Are found in": (
            "what it reports and returns"
            if experiment.is_in_process
            else collected(spec.get("metricsCollectorSpec"))
        ),
        "Trials at a time": f"{experiment.parallel:,}",
        "Trials in all": "" if experiment.most_trials is None else f"{experiment.most_trials:,} at most",
        "Failed trials": "" if experiment.most_failed is None else f"{experiment.most_failed:,} end it",
        "Each trial is": "a call of a function" if experiment.is_in_process else _run(template),
        "When it has ended": {
            "Never": "it stays so",
            "LongRunning": "it can go on",
            "FromVolume": "it can go on",
        }.get(experiment.resume_policy, experiment.resume_policy),
    }
    return {name: value for name, value in found.items() if value}


def collected(spec: Any) -> str:
    """Where metrics come from."""
    found = _mapping(spec)
    kind = str(_mapping(found.get("collector")).get("kind") or "StdOut")
    source = _mapping(found.get("source"))
    path = _mapping(source.get("fileSystemPath")).get("path")
    http = _mapping(source.get("httpGet"))
    where = f" {path}" if path else f" at :{http.get('port', '')}{http.get('path', '')}" if http else ""
    return f"{_COLLECTORS.get(kind, kind)}{where}"


def _metrics(experiment: Summary) -> str:
    objective = experiment.objective
    names = dict.fromkeys((objective.metric, *objective.additional))
    return ", ".join(f"{name} ({objective.strategies.get(name, 'latest')})" for name in names)


def _objectives(obj: Object) -> str:
    found = annotated(meta.annotations(obj), labels.OBJECTIVES)
    return ", ".join(f"{states.direction(kind) or kind} {metric}" for metric, kind in found.items())


def _bounds(obj: Object) -> str:
    found = annotated(meta.annotations(obj), labels.CONSTRAINTS)
    return ", ".join(f"{metric} {bound}" for metric, bound in found.items())


def _run(template: Mapping[str, Any]) -> str:
    run = _mapping(template.get("trialSpec"))
    if run:
        return f"a {run.get('kind')}"
    config_map = _mapping(template.get("configMap"))
    if config_map:
        return (
            f"made from {config_map.get('templatePath')} of the ConfigMap {config_map.get('configMapName')}"
        )
    return ""


def _named(name: str, settings: Any) -> str:
    told = ", ".join(f"{key} = {value}" for key, value in named_values(settings).items())
    return f"{name} ({told})" if name and told else name


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}
