"""What Katib's pages read as text in JSON, and their views of objects. Pure.

Source: kubeflow/katib 0.19 pkg/ui/v1beta1 (hp.go, nas.go, util.go, types.go). What upstream gets wrong is not repeated:
a metric that nobody named does not land in the objective's column, what is no number fails no answer, and an
architecture that cannot be read is an empty one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sampan.components.tuning.api import labels
from sampan.components.tuning.api.conditions import conditions_of
from sampan.components.tuning.api.observing import Metric, MetricLog
from sampan.components.tuning.api.reading import metrics_of, named_values, objective_of
from sampan.components.tuning.engine import nas_graph
from sampan.components.tuning.rest.columns import number
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.lib.clock import parse_rfc3339, rfc3339

RUN_ANNOTATION = "kubeflow-kale.org/kfp-run-uuid"
_NOTHING_BEST: dict[str, Any] = {"observation": {}}
"""Upstream's type has no way to leave it out."""


def experiment_view(experiment: Object) -> dict[str, Any]:
    """Name, kind, state, and the fields of the status beside them."""
    status = {
        "currentOptimalTrial": _NOTHING_BEST,
        **{key: value for key, value in meta.status(experiment).items() if value not in (0, None, [], "")},
    }
    return {
        **status,
        "name": meta.name(experiment),
        "namespace": meta.namespace(experiment),
        "type": "nas" if meta.spec(experiment).get("nasConfig") else "hp",
        "status": last_condition(experiment) or "Created",
    }


def whole_experiment(experiment: Object) -> Object:
    return {
        **experiment,
        "status": {"currentOptimalTrial": _NOTHING_BEST, **meta.status(experiment)},
    }


def last_condition(obj: Object) -> str:
    """The type of the last one, whether it holds or not."""
    found = conditions_of(obj)
    return str(found[-1].get("type") or "") if found else ""


def trials_text(experiment: Object, trials: Sequence[Object]) -> str:
    """A line for each trial: condition, name, metrics, parameters and, where one has any, its pipeline run."""
    spec = meta.spec(experiment)
    objective = objective_of(spec)
    metrics = [objective.metric, *objective.additional]
    parameters = list(named_values(spec.get("parameters")))
    has_runs = any(RUN_ANNOTATION in meta.annotations(each) for each in trials)
    lines = [["Status", "trialName", *metrics, *parameters, *(["KFP Run"] if has_runs else [])]]
    for trial in trials:
        found: Mapping[str, Metric] = {}
        if _holds(trial, "Succeeded") or _holds(trial, "EarlyStopped"):
            found = metrics_of(meta.status(trial).get("observation"))
        assigned = named_values(meta.spec(trial).get("parameterAssignments"))
        lines.append(
            [
                last_condition(trial),
                meta.name(trial),
                *(_best(found.get(name), objective.type) for name in metrics),
                *(assigned.get(name, "") for name in parameters),
                *([str(meta.annotations(trial).get(RUN_ANNOTATION, ""))] if has_runs else []),
            ]
        )
    return "\n".join(",".join(line) for line in lines)


def log_text(trial: Object, lines: Iterable[MetricLog]) -> str:
    """A line for each second of each metric, with the best value of that second."""
    objective = objective_of(meta.spec(trial))
    rows = [["metricName", "time", "value"]]
    last: dict[str, list[str]] = {}
    for line in lines:
        value = number(line.value)
        if value is None:
            continue
        time = _second(line.time)
        row = last.get(line.name)
        if row is None or row[1] != time:
            last[line.name] = row = [line.name, time, line.value]
            rows.append(row)
        elif _is_better(value, float(row[2]), objective.type):
            row[2] = line.value
    return "".join(",".join(row) + "\n" for row in rows)


def network_view(number_: int, trial: Object, lines: Sequence[MetricLog]) -> dict[str, Any]:
    """What a trial of a neural architecture search has built, as Graphviz reads it."""
    assigned = named_values(meta.spec(trial).get("parameterAssignments"))
    return {
        "Name": f"Generation {number_}",
        "TrialName": meta.name(trial),
        "Architecture": _architecture(assigned, lines),
        "MetricsName": [each.name for each in lines],
        "MetricsValue": [each.value for each in lines],
    }


def templates_view(config_maps: Iterable[Object]) -> list[dict[str, Any]]:
    """By namespace; without ConfigMaps that hold nothing."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in sorted(config_maps, key=lambda each: (meta.namespace(each), meta.name(each))):
        data = each.get("data") or {}
        if data:
            templates = [{"Path": path, "Yaml": str(data[path])} for path in sorted(data)]
            found.setdefault(meta.namespace(each), []).append(
                {"ConfigMapName": meta.name(each), "Templates": templates}
            )
    return [{"ConfigMapNamespace": namespace, "ConfigMaps": maps} for namespace, maps in found.items()]


def succeeded(trial: Object) -> bool:
    return _holds(trial, "Succeeded")


def _holds(trial: Object, type_: str) -> bool:
    return any(each.get("type") == type_ and each.get("status") == "True" for each in conditions_of(trial))


def _best(metric: Metric | None, objective: str) -> str:
    if metric is None:
        return ""
    found = metric.min if objective == "minimize" else metric.max if objective == "maximize" else ""
    return metric.latest if found in ("", labels.UNAVAILABLE) else found


def _is_better(value: float, than: float, objective: str) -> bool:
    return value < than if objective == "minimize" else value > than if objective == "maximize" else False


def _second(time: str) -> str:
    try:
        return rfc3339(parse_rfc3339(time)).removesuffix("Z")
    except ValueError:
        return "0001-01-01T00:00:00"


def _architecture(assigned: Mapping[str, str], lines: Sequence[MetricLog]) -> str:
    try:
        if "architecture" in assigned:
            graph = nas_graph.layers_graph(assigned["architecture"], assigned.get("nn_config", ""))
        else:
            # What DARTS has found is what its trial reports.
            genotypes = [each.value for each in lines if each.value.startswith("Genotype(")]
            if not genotypes:
                return ""
            graph = nas_graph.cell_graph(genotypes[-1])
        return nas_graph.dot(graph)
    except ValueError:
        return ""
