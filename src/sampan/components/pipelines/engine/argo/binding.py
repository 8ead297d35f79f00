"""Arguments to the inputs of a template, and a template's outputs from what is within it. Pure.

Source: workflow/common/util.go (ProcessArgs) and workflow/controller/scope.go, argo-workflows v3.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.pipelines.api.argo.errors import AbsentError, ArgoError
from sampan.components.pipelines.api.argo.tags import Variables, as_text, only_tag, substitute
from sampan.components.pipelines.engine.argo.node import Artifact, Given, Results

Json = Mapping[str, Any]
LOCATIONS = (
    "raw",
    "s3",
    "gcs",
    "http",
    "git",
    "oss",
    "hdfs",
    "azure",
    "artifactory",
    "plugin",
)
_KEPT = ("archive", "optional", "mode", "recurseMode", "subPath")


def arguments(holder: Json, variables: Variables, template: Json) -> Given:
    """What a step, task or hook gives to the template. Raises ArgoError naming the argument."""
    given = Given()
    declared = {item.get("name"): item for item in (template.get("inputs") or {}).get("parameters") or ()}
    arguments_ = holder.get("arguments") or {}
    for item in arguments_.get("parameters") or ():
        name = str(item.get("name", ""))
        try:
            value = _parameter(item, variables)
        except AbsentError as error:
            # An argument that is nothing but an absent output leaves the input its default.
            if only_tag(item.get("value")) and declared.get(name, {}).get("default") is not None:
                continue
            raise AbsentError(f'argument "{name}": {error.message}') from None
        except ArgoError as error:
            raise ArgoError(f'argument "{name}": {error.message}') from None
        if value is not None:
            given.parameters[name] = value
    optional = {
        item.get("name")
        for item in (template.get("inputs") or {}).get("artifacts") or ()
        if item.get("optional")
    }
    for item in arguments_.get("artifacts") or ():
        name = str(item.get("name", ""))
        # What is optional for the one who takes it may be missing.
        artifact = artifact_of({**item, "optional": True} if name in optional else item, variables)
        if artifact is not None:
            given.artifacts[name] = artifact
    return given


def _parameter(item: Json, variables: Variables) -> str | None:
    if "value" in item and item["value"] is not None:
        return as_text(substitute(item["value"], variables))
    source = item.get("valueFrom") or {}
    return value_from(source, variables) if source else None


def value_from(source: Json, variables: Variables) -> str | None:
    """Of a `valueFrom` that looks at other outputs. Raises ArgoError."""
    try:
        if expression := source.get("expression"):
            value = variables.evaluate(str(substitute(expression, variables)))
            if value is None:
                raise AbsentError(f"expression {expression!r} gives nil")
            return as_text(value)
        if reference := source.get("parameter"):
            text = as_text(substitute(reference, variables))
            if "{{" in text:
                raise AbsentError(f"failed to resolve {text}")
            return text
    except ArgoError:
        if source.get("default") is not None:
            return as_text(source["default"])
        raise
    return as_text(source["default"]) if source.get("default") is not None else None


def artifact_of(item: Json, variables: Variables) -> Artifact | None:
    """The artifact that an argument, input or output names; None for an optional one that is not there.

    Raises ArgoError.
    """
    name = item.get("name", "")
    optional = bool(item.get("optional"))
    found: Any = None
    if (reference := item.get("from")) is not None:
        key = str(reference).strip().removeprefix("{{").removesuffix("}}").strip()
        found = variables.evaluate(key[1:]) if key.startswith("=") else variables.get(key)
        if found is None and not optional:
            raise AbsentError(f'artifact "{name}": {reference} was never produced')
    elif (expression := item.get("fromExpression")) is not None:
        try:
            found = variables.evaluate(str(substitute(expression, variables)))
        except AbsentError:
            if not optional:
                raise
        if found is None and not optional:
            raise AbsentError(f'artifact "{name}": {expression} gives nil')
    else:
        location = {key: substitute(item[key], variables) for key in LOCATIONS if item.get(key) is not None}
        found = location or None
    if found is None:
        return None
    if not isinstance(found, Mapping):
        raise ArgoError(f'artifact "{name}": what it comes from is no artifact')
    sub_path = item.get("subPath")
    kept = {key: item[key] for key in _KEPT if key in item and key != "subPath"}
    artifact = {**found, **kept}
    if sub_path:
        own = as_text(substitute(sub_path, variables))
        artifact["subPath"] = f"{found['subPath']}/{own}" if found.get("subPath") else own
    return artifact


def bind(template: Json, given: Given, variables: Variables) -> Given:
    """The inputs of the template: what is given, else the input's own value or default. Raises ArgoError."""
    bound = Given()
    inputs = template.get("inputs") or {}
    known: dict[str, Any] = {f"inputs.parameters.{name}": value for name, value in given.parameters.items()}
    for item in inputs.get("parameters") or ():
        name = str(item.get("name", ""))
        value = given.parameters.get(name)
        if value is None:
            # It may name those before it.
            value = _own_value(item, variables.with_layer(known))
        if value is None:
            raise ArgoError(f"inputs.parameters.{name} was not supplied")
        allowed = item.get("enum")
        if allowed and value not in [as_text(choice) for choice in allowed]:
            raise ArgoError(
                f"inputs.parameters.{name}: {value!r} is none of {', '.join(map(as_text, allowed))}"
            )
        bound.parameters[name] = known[f"inputs.parameters.{name}"] = value
    layer = {f"inputs.parameters.{name}": value for name, value in bound.parameters.items()}
    inner = variables.with_layer(layer)
    for item in inputs.get("artifacts") or ():
        name = str(item.get("name", ""))
        artifact = given.artifacts.get(name)
        if artifact is not None:
            bound.artifacts[name] = artifact
            continue
        own = artifact_of(item, inner)
        if own is not None:
            bound.artifacts[name] = own
        elif not item.get("optional"):
            raise ArgoError(f"inputs.artifacts.{name} was not supplied")
    return bound


def _own_value(item: Json, variables: Variables) -> str | None:
    for key in ("value", "default"):
        if item.get(key) is not None:
            return as_text(substitute(item[key], variables))
    return value_from(item.get("valueFrom") or {}, variables)


def outputs(template: Json, variables: Variables) -> Results:
    """Of steps or a DAG: from the outputs of what is within. Raises ArgoError naming the output."""
    results = Results()
    declared = template.get("outputs") or {}
    for item in declared.get("parameters") or ():
        name = str(item.get("name", ""))
        try:
            value = _parameter(item, variables)
        except ArgoError as error:
            raise ArgoError(f'output parameter "{name}": {error.message}') from None
        if value is not None:
            results.parameters[name] = value
    for item in declared.get("artifacts") or ():
        if item.get("from") is None and item.get("fromExpression") is None:
            continue
        try:
            artifact = artifact_of(item, variables)
        except AbsentError:
            continue
        if artifact is not None:
            results.artifacts[str(item.get("name", ""))] = artifact
    return results
