"""What trials are made from.

Source: kubeflow/katib 0.19 pkg/webhook/v1beta1/experiment/validator/validator.go (validateTrialTemplate). Not so here:
an object of any kind is held against what the server knows of the kind, not a Job alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sampan.components.tuning.api import labels
from sampan.components.tuning.engine.template.generator import (
    TemplateError,
    is_metadata,
    metadata_value,
    parameters_of,
    substituted,
)
from sampan.components.tuning.engine.validation.reading import Anything, at, text
from sampan.kube import meta
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_PATH = "spec.trialTemplate"
_PARAMETERS = f"{_PATH}.trialParameters"
_CONFIG_MAP_FIELDS = ("configMapName", "configMapNamespace", "templatePath")
_SHARED = f"the label {labels.COMPONENT}={labels.TRIAL_TEMPLATES}"
_SHOWN = 512
_ANY = "test-value"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the template is held against."""

    config_map: Callable[[str, str], Mapping[str, Any] | None]
    """The data of the ConfigMap of a namespace and a name; None where there is none."""
    wrong_with: Callable[[Object], str]
    """Why the server would not take an object; empty where it would, or where that is not known."""


def check(spec: Anything, namespace: str, around: Surroundings, errors: FieldErrors) -> None:
    """`namespace` of the experiment."""
    template = spec.get("trialTemplate")
    if not isinstance(template, Mapping):
        errors.required(_PATH, "must be specified")
        return
    if not text(template, "primaryContainerName"):
        errors.required(f"{_PATH}.primaryContainerName", "must be specified")
    if not text(template, "successCondition") or not text(template, "failureCondition"):
        errors.required(_PATH, "successCondition and failureCondition must be specified")
    if not isinstance(template.get("trialParameters"), list):
        errors.required(_PARAMETERS, "must be specified")
        return
    source = _source(template, around, errors)
    if source is None:
        return
    values = _parameters(template, spec, source, errors)
    if values is not None:
        made = _made(source, values, errors)
        if made is not None:
            _object(made, namespace, around, errors)


def _source(template: Anything, around: Surroundings, errors: FieldErrors) -> Object | str | None:
    inline, config_map = template.get("trialSpec"), template.get("configMap")
    if inline is None and config_map is None:
        detail = "spec.trialTemplate.trialSpec or spec.trialTemplate.configMap must be specified"
        errors.required(f"{_PATH}.TrialSource", detail)
        return None
    if inline is not None and config_map is not None:
        detail = "only one of spec.trialTemplate.trialSpec or spec.trialTemplate.configMap can be specified"
        errors.required(_PATH, detail)
        return None
    if inline is not None:
        if isinstance(inline, dict):
            return inline
        errors.invalid(f"{_PATH}.trialSpec", inline, "must be an object")
        return None
    name, namespace, path = (text(config_map, key) for key in _CONFIG_MAP_FIELDS)
    if not (name and namespace and path):
        detail = "configMapName, configMapNamespace and templatePath must be specified"
        errors.required(f"{_PATH}.configMap", detail)
        return None
    data = around.config_map(namespace, name)
    if data is None:
        detail = f'unable to parse spec.trialTemplate: configMap not found: configmaps "{name}" not found'
        errors.invalid(_PATH, "", f"{detail} in namespace {namespace!r}, or is not shared by {_SHARED}")
        return None
    if not isinstance(data.get(path), str):
        detail = "unable to parse spec.trialTemplate: unable to find trial template in ConfigMap"
        known = ", ".join(sorted(map(str, data))) or "nothing"
        errors.invalid(_PATH, "", f"{detail}: TemplatePath: {path}, ConfigMap {namespace}/{name} has {known}")
        return None
    return str(data[path])


def _parameters(
    template: Anything, spec: Anything, source: Object | str, errors: FieldErrors
) -> dict[str, str] | None:
    """A value for each parameter; None where one is not in the template."""
    shown = source if isinstance(source, str) else json.dumps(source, ensure_ascii=False)
    space = spec.get("parameters")
    known = {text(each, "name") for each in space} if isinstance(space, list) else set()
    before, names = len(errors.causes), dict[str, str]()
    references: set[str] = set()
    for index, (name, reference) in enumerate(parameters_of(template)):
        here = f"{_PARAMETERS}[{index}]"
        if not name or not reference or "{" in name or "}" in name:
            errors.invalid(
                here, "", "name and reference must be specified and name must not contain '{' or '}'"
            )
            continue
        if name in names:
            errors.invalid(
                f"{here}.name", name, f"parameter name {name} can't be duplicated in {_PARAMETERS}"
            )
            continue
        if reference in references:
            detail = f"parameter reference {reference} can't be duplicated in {_PARAMETERS}"
            errors.invalid(f"{here}.reference", reference, detail)
            continue
        names[name] = _value(reference, space, source)
        references.add(reference)
        if known and not is_metadata(reference) and reference not in known:
            listed = ", ".join(sorted(known))
            detail = f"parameter reference {reference} does not exist in spec.parameters: {listed}"
            errors.invalid(f"{here}.reference", reference, detail)
        if f"${{trialParameters.{name}}}" not in shown:
            detail = f"parameter name: {name} in spec.trialParameters not found in spec.trialTemplate"
            errors.invalid(f"{here}.name", name, f"{detail}: {_short(shown)}")
            return None
    unused = sorted(known - references - {""})
    if unused and len(errors.causes) == before:
        # Without this no trial could ever be made of what the algorithm suggests.
        detail = f"no trialParameter refers to the parameters {', '.join(unused)} of spec.parameters"
        errors.invalid(_PARAMETERS, sorted(references), detail)
    return names


def _value(reference: str, space: Any, source: Object | str) -> str:
    """One that the parameter may have: where a number must stand, it is one."""
    for parameter in space if isinstance(space, list) else ():
        if text(parameter, "name") == reference:
            feasible = at(parameter, "feasibleSpace")
            listed = feasible.get("list")
            return str(listed[0]) if isinstance(listed, list) and listed else text(feasible, "min") or _ANY
    with suppress(TemplateError):
        return metadata_value(source, reference, "trial-name", "trial-namespace") or _ANY
    return _ANY


def _made(source: Object | str, values: Mapping[str, str], errors: FieldErrors) -> Object | None:
    """The object with values in the places of parameters."""
    missing: list[str] = []

    def value_of(name: str) -> str | None:
        if name not in values:
            missing.append(f"${{trialParameters.{name}}}")
        return values.get(name)

    try:
        made = substituted(source, value_of)
    except TemplateError as error:
        errors.invalid(_PATH, "", f"unable to convert spec.trialTemplate: {error}")
        return None
    if missing:
        listed = " ".join(dict.fromkeys(missing))
        detail = f"parameters: [{listed}] in spec.trialTemplate not found in spec.trialParameters"
        errors.invalid(_PATH, "", f"{detail}: {', '.join(values) or 'none'}")
    return made


def _object(made: Object, namespace: str, around: Surroundings, errors: FieldErrors) -> None:
    if meta.name(made) or meta.namespace(made):
        detail = "metadata.name and metadata.namespace in spec.trialTemplate must be omitted"
        errors.invalid(_PATH, "", detail)
    if not text(made, "apiVersion") or not text(made, "kind"):
        errors.required(_PATH, "APIVersion and Kind in spec.trialTemplate must be specified")
        return
    made["metadata"] = {**meta.metadata(made), "name": "trial-name", "namespace": namespace}
    if why := around.wrong_with(made):
        errors.invalid(_PATH, "", f"invalid spec.trialTemplate: {why}")


def _short(shown: str) -> str:
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."
