"""What the form would have to hold to make a given experiment: for clones. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sampan.components.tuning.api import labels
from sampan.components.tuning.api.defaults import with_defaults
from sampan.components.tuning.api.reading import annotated, named_values, parameters_of
from sampan.components.tuning.ui.new_experiment import building, program
from sampan.components.tuning.ui.new_experiment.wanted import (
    CONFIG_MAP,
    FILE,
    YAML,
    Chosen,
    Collected,
    Program,
    Range,
    Target,
    Template,
    Wanted,
)
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.ui.objects import copies, yamltext

_KNOWN_KINDS = ("TFJob", "PyTorchJob", "XGBoostJob", "MPIJob", "JAXJob", "PaddleJob", "TrainJob", "Job")
"""Whose conditions and labels are filled in, so that the form need not show them."""
_OF_TARGET = (labels.OBJECTIVES, labels.CONSTRAINTS)
NOTES = frozenset({labels.STOP})
"""Annotations of the one experiment: a clone of one that was stopped runs."""


def wanted(experiment: Object) -> Wanted | None:
    """None where it has something that the form has no field for: it is edited as YAML then."""
    try:
        found = _wanted(experiment)
        return found if _essence(building.experiment(found)) == _essence(experiment) else None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        # Of a shape that the form never makes.
        return None


def _wanted(experiment: Object) -> Wanted:
    spec = meta.spec(experiment)
    annotations = copies.own_annotations(experiment, NOTES)
    others, bounds = (_told(annotations, key) for key in _OF_TARGET)
    network = spec.get("nasConfig")
    return Wanted(
        name=meta.name(experiment),
        namespace=meta.namespace(experiment),
        target=_target(spec["objective"], others, bounds),
        ranges=tuple(
            Range(
                each.name,
                each.type,
                each.space.min,
                each.space.max,
                each.space.step,
                each.space.list,
                each.space.distribution,
            )
            for each in parameters_of(spec.get("parameters"))
        ),
        network=yamltext.dump(network) if network else "",
        algorithm=_chosen(spec.get("algorithm")),
        stopping=_chosen(spec.get("earlyStopping")),
        most_trials=spec.get("maxTrialCount"),
        parallel=spec.get("parallelTrialCount"),
        most_failed=spec.get("maxFailedTrialCount"),
        resume=str(spec.get("resumePolicy") or "Never"),
        collected=_collected(spec.get("metricsCollectorSpec") or {}),
        template=_template(spec["trialTemplate"]),
        labels=meta.labels(experiment),
        annotations=annotations,
    )


def _told(annotations: dict[str, str], key: str) -> dict[str, str]:
    """Taken out of the annotations, unless it is something that the field could not show."""
    found = annotated(annotations, key)
    if found:
        del annotations[key]
    return found


def _target(objective: Mapping[str, Any], others: Mapping[str, str], bounds: Mapping[str, str]) -> Target:
    kind = str(objective.get("type") or "")
    usual = {"minimize": "min", "maximize": "max"}.get(kind, "latest")
    strategies = named_values(objective.get("metricStrategies"))
    return Target(
        metric=str(objective.get("objectiveMetricName") or ""),
        type=kind,
        goal=objective.get("goal"),
        additional=tuple(str(each) for each in objective.get("additionalMetricNames") or ()),
        strategies={name: value for name, value in strategies.items() if value != usual},
        others=others,
        bounds=bounds,
    )


def _chosen(found: Any) -> Chosen:
    given: Mapping[str, Any] = found or {}
    return Chosen(str(given.get("algorithmName") or ""), named_values(given.get("algorithmSettings")))


def _collected(spec: Mapping[str, Any]) -> Collected:
    source: Mapping[str, Any] = spec.get("source") or {}
    place: Mapping[str, Any] = source.get("fileSystemPath") or {}
    http: Mapping[str, Any] = source.get("httpGet") or {}
    port = http.get("port")
    custom = (spec.get("collector") or {}).get("customCollector")
    return Collected(
        kind=str((spec.get("collector") or {}).get("kind") or "StdOut"),
        path=str(place.get("path") or http.get("path") or ""),
        format=str(place.get("format") or "TEXT"),
        port=int(port) if port is not None else None,
        filters=tuple((source.get("filter") or {}).get("metricsFormat") or ()),
        container=yamltext.dump(custom) if custom else "",
        place=str(place.get("kind") or FILE) if custom else FILE,
    )


def _template(template: Mapping[str, Any]) -> Template:
    parameters: Sequence[Mapping[str, Any]] = template.get("trialParameters") or ()
    references = {str(each["name"]): str(each["reference"]) for each in parameters}
    container = str(template.get("primaryContainerName") or "")
    run: Mapping[str, Any] = template.get("trialSpec") or {}
    is_usual = run.get("kind") in _KNOWN_KINDS
    filled = with_defaults({"spec": {"trialTemplate": {"trialSpec": dict(run)}}})["spec"]["trialTemplate"]

    def told(key: str) -> Any:
        """What is not filled in anyway."""
        value = template.get(key)
        return value if value and not (is_usual and value == filled.get(key)) else None

    return Template(
        program=_program(template, list(references), container),
        references=references,
        descriptions={
            str(each["name"]): str(each["description"]) for each in parameters if each.get("description")
        },
        container=container,
        retain=bool(template.get("retain")),
        labels=told("primaryPodLabels") or {},
        succeeded=told("successCondition") or "",
        failed=told("failureCondition") or "",
    )


def _program(template: Mapping[str, Any], names: Sequence[str], container: str) -> Program:
    if found := template.get("configMap"):
        parts = (found["configMapNamespace"], found["configMapName"], found["templatePath"])
        return Program(source=CONFIG_MAP, config_map="/".join(parts))
    run = template["trialSpec"]
    return program.read(run, names, container) or Program(source=YAML, text=yamltext.dump(run))


def _essence(experiment: Object) -> Any:
    """What an experiment means, however it is written: with defaults, and without what is empty."""
    spec = meta.spec(with_defaults(experiment))
    objective = spec.get("objective")
    if isinstance(objective, dict):
        # Their order means nothing.
        spec["objective"] = {**objective, "metricStrategies": named_values(objective.get("metricStrategies"))}
    annotations: dict[str, Any] = copies.own_annotations(experiment, NOTES)
    # However their JSON is written.
    told = {key: found for key in _OF_TARGET if (found := _told(annotations, key))}
    return meta.labels(experiment), annotations, told, _written(spec)


def _written(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: _written(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if not _is_nothing(each)}
    if isinstance(value, list):
        return [_written(each) for each in value]
    return value


def _is_nothing(value: Any) -> bool:
    """A nought is something."""
    return value is None or value is False or value in ({}, [], "")
