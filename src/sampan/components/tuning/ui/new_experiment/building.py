"""The experiment that a filled form stands for. Pure.

Fields are upstream's: kubeflow/katib 0.19 pkg/apis/controller/experiments/v1beta1/experiment_types.go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sampan.components.tuning.api import labels
from sampan.components.tuning.api.kinds import EXPERIMENTS
from sampan.components.tuning.ui import template_text
from sampan.components.tuning.ui.new_experiment import program
from sampan.components.tuning.ui.new_experiment.wanted import (
    CONFIG_MAP,
    SCRIPT,
    Chosen,
    Collected,
    Range,
    Target,
    Template,
    Wanted,
)
from sampan.kube.meta import Object

_LISTED = ("discrete", "categorical")
_PLACED = ("File", "TensorFlowEvent")
_OF_NETWORKS = {"darts": ("algorithm-settings", "search-space", "num-layers")}
"""What algorithms that search for architectures give to trials; Source: kubeflow/katib 0.19 examples/v1beta1/nas."""
_OF_ENAS = ("architecture", "nn_config")


def experiment(wanted: Wanted) -> Object:
    """Raises ValueError where YAML of it cannot be read."""
    spec: Object = {
        "objective": _objective(wanted.target),
        "algorithm": _algorithm(wanted.algorithm),
        "parallelTrialCount": wanted.parallel,
        "maxTrialCount": wanted.most_trials,
        "maxFailedTrialCount": wanted.most_failed,
        "resumePolicy": wanted.resume,
        "trialTemplate": _template(wanted),
    }
    if wanted.network:
        spec["nasConfig"] = template_text.parsed(wanted.network)
    else:
        spec["parameters"] = [_parameter(each) for each in wanted.ranges]
    if wanted.stopping.name:
        spec["earlyStopping"] = _algorithm(wanted.stopping)
    if wanted.collected != Collected():
        spec["metricsCollectorSpec"] = _collecting(wanted.collected)
    return {
        "apiVersion": EXPERIMENTS.api_version,
        "kind": EXPERIMENTS.kind,
        "metadata": {"name": wanted.name, "namespace": wanted.namespace, **_notes(wanted)},
        "spec": {key: value for key, value in spec.items() if value is not None},
    }


def references(wanted: Wanted) -> Mapping[str, str]:
    """From names in the template to what they stand for."""
    if wanted.template.references:
        return wanted.template.references
    if wanted.network:
        return {each: each for each in _OF_NETWORKS.get(wanted.algorithm.name, _OF_ENAS)}
    return {each.name: each.name for each in wanted.ranges if each.name}


def _notes(wanted: Wanted) -> Object:
    annotations = dict(wanted.annotations)
    for key, told in ((labels.OBJECTIVES, wanted.target.others), (labels.CONSTRAINTS, wanted.target.bounds)):
        if told:
            annotations[key] = json.dumps(told)
    found = {"labels": dict(wanted.labels), "annotations": annotations}
    return {key: each for key, each in found.items() if each}


def _objective(target: Target) -> Object:
    made: Object = {"type": target.type, "objectiveMetricName": target.metric}
    if target.goal is not None:
        made["goal"] = target.goal
    further = dict.fromkeys((*target.additional, *target.others, *target.bounds))
    if names := [each for each in further if each != target.metric]:
        # What is wanted of a metric can only be told where it is collected.
        made["additionalMetricNames"] = names
    if target.strategies:
        made["metricStrategies"] = [
            {"name": name, "value": value} for name, value in target.strategies.items()
        ]
    return made


def _algorithm(chosen: Chosen) -> Object:
    made: Object = {"algorithmName": chosen.name}
    if chosen.settings:
        made["algorithmSettings"] = [
            {"name": name, "value": value} for name, value in chosen.settings.items()
        ]
    return made


def _parameter(each: Range) -> Object:
    space: dict[str, Any]
    if each.type in _LISTED:
        space = {"list": list(each.values)}
    else:
        space = {"min": each.low, "max": each.high}
        if each.step:
            space["step"] = each.step
    if each.distribution != "uniform":
        space["distribution"] = each.distribution
    return {"name": each.name, "parameterType": each.type, "feasibleSpace": space}


def _collecting(collected: Collected) -> Object:
    source: Object = {}
    if collected.kind in _PLACED and collected.path:
        is_file = collected.kind == "File"
        source["fileSystemPath"] = {"path": collected.path, "kind": "File" if is_file else "Directory"}
        if is_file:
            source["fileSystemPath"]["format"] = collected.format
    if collected.kind == "Custom" and collected.path:
        source["fileSystemPath"] = {"path": collected.path, "kind": collected.place}
    if collected.kind == "PrometheusMetric":
        http = {"path": collected.path, "port": collected.port}
        source["httpGet"] = {key: value for key, value in http.items() if value}
    if collected.filters:
        source["filter"] = {"metricsFormat": list(collected.filters)}
    made: Object = {"collector": {"kind": collected.kind}}
    if collected.kind == "Custom":
        made["collector"]["customCollector"] = template_text.parsed(collected.container)
    return made | ({"source": source} if source else {})


def _template(wanted: Wanted) -> Object:
    template = wanted.template
    made: Object = {}
    if template.retain:
        made["retain"] = True
    if template.container:
        made["primaryContainerName"] = template.container
    if template.labels:
        made["primaryPodLabels"] = dict(template.labels)
    if template.succeeded:
        made["successCondition"] = template.succeeded
    if template.failed:
        made["failureCondition"] = template.failed
    made["trialParameters"] = [
        {"name": name, **_description(template, name), "reference": reference}
        for name, reference in references(wanted).items()
    ]
    return made | _run(wanted)


def _description(template: Template, name: str) -> Object:
    told = template.descriptions.get(name)
    return {"description": told} if told else {}


def _run(wanted: Wanted) -> Object:
    template = wanted.template
    of = template.program
    if of.source == CONFIG_MAP:
        namespace, _, rest = of.config_map.partition("/")
        name, _, key = rest.partition("/")
        return {"configMap": {"configMapName": name, "configMapNamespace": namespace, "templatePath": key}}
    if of.source == SCRIPT:
        return {"trialSpec": program.job(of, references(wanted), template.container)}
    return {"trialSpec": template_text.parsed(of.text)}
