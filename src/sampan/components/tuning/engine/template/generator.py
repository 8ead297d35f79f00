"""Puts a trial's parameters into its template.

Source: kubeflow/katib 0.19 pkg/controller.v1beta1/experiment/manifest/generator.go, pkg/controller.v1beta1/consts. Not
so here: in a template that is an object values stand in its strings whatever characters they have, and a value is
never looked through for placeholders itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import yaml

from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.lib.extent import extent

# With an end, else a text of nothing but beginnings takes time that grows with its square.
PLACEHOLDER = re.compile(r"\$\{trialParameters\.(.{1,512}?)\}")
METADATA = re.compile(r"\$\{trialSpec\.(.{1,512}?)\}")
_INDEXED = re.compile(r"(.+)\[(.+)]", re.DOTALL)
_MOST_CHARACTERS = 4_000_000
"""Of a template that is written out: more than the API takes."""
METADATA_KEYS = ("Name", "Namespace", "Kind", "APIVersion", "Annotations", "Labels")


_Places: TypeAlias = "Mapping[Any, _Places] | bool"
"""The parts of a mapping or a list in which placeholders stand, by key or number; True for a whole that is to be looked
through, False for one without any."""


class TemplateError(ValueError):
    """No object comes of the template. The message says what is amiss in it."""


@dataclass(frozen=True)
class Template:
    source: Object | str
    """The object itself, or text from a ConfigMap."""
    parameters: Sequence[tuple[str, str]]
    """Names and references of trialParameters."""

    @cached_property
    def places(self) -> _Places:
        """Where placeholders stand in a source that is an object: looked for once, not for each trial."""
        return _places(self.source)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads what Kubernetes' clients read: dates are text, and numbers may have an exponent without a point."""


_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def parameters_of(template: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Of a trialTemplate."""
    found = template.get("trialParameters")
    return tuple(
        (str(each.get("name") or ""), str(each.get("reference") or ""))
        for each in (found if isinstance(found, list) else ())
        if isinstance(each, Mapping)
    )


def run_spec(template: Template, name: str, namespace: str, assignments: Mapping[str, str]) -> Object:
    """The object that the trial of that name runs. What no parameter changes, it shares with the template, so it is
    for reading. Raises TemplateError."""
    values = _values(template, name, namespace, assignments)
    made = dict(substituted(template.source, values.get, template.places))
    metadata = made.get("metadata")
    made["metadata"] = {
        **(metadata if isinstance(metadata, dict) else {}),
        "name": name,
        "namespace": namespace,
    }
    return made


def substituted(
    source: Object | str, value_of: Callable[[str], str | None], places: _Places = True
) -> Object:
    """The template as an object, with `value_of` the placeholder's name in its place; None leaves it. TemplateError."""

    def replace(match: re.Match[str]) -> str:
        value = value_of(match[1])
        return match[0] if value is None else value

    if isinstance(source, str):
        return parse(PLACEHOLDER.sub(replace, source))
    made = _filled(source, places, lambda text: PLACEHOLDER.sub(replace, text))
    assert isinstance(made, dict)
    return made


def parse(text: str) -> Object:
    """The first document, which must be an object. Raises TemplateError."""
    try:
        found = next((each for each in yaml.load_all(text, _Loader) if each is not None), None)
        size = extent(found, _MOST_CHARACTERS)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise TemplateError(f"the template is not YAML: {error}") from None
    if size > _MOST_CHARACTERS:
        raise TemplateError("the template's YAML aliases (*name) stand for too much: write it out")
    if not isinstance(found, dict):
        raise TemplateError("the template is not an object with apiVersion and kind")
    return found


def object_of(source: Object | str) -> Object:
    """The template as it is before anything is put in. Raises TemplateError."""
    return parse(source) if isinstance(source, str) else source


def is_metadata(reference: str) -> bool:
    """Whether a trialParameter takes its value from the template itself."""
    found = METADATA.search(reference)
    return found is not None and _key_and_index(found[1])[0] in METADATA_KEYS


def _key_and_index(text: str) -> tuple[str, str]:
    indexed = _INDEXED.match(text)
    return (indexed[1], indexed[2]) if indexed else (text, "")


def _values(template: Template, name: str, namespace: str, assignments: Mapping[str, str]) -> dict[str, str]:
    values: dict[str, str] = {}
    taken = 0
    for parameter, reference in template.parameters:
        if METADATA.search(reference):
            values[parameter] = metadata_value(template.source, reference, name, namespace)
        elif reference in assignments:
            values[parameter] = assignments[reference]
            taken += 1
        else:
            raise TemplateError(
                f"trialParameters refer to the parameter {reference!r}, which is not among those suggested: "
                f"{', '.join(assignments) or 'none'}"
            )
    if taken != len(assignments):
        unused = sorted(set(assignments) - {reference for _, reference in template.parameters})
        raise TemplateError(f"no trialParameter refers to the parameters {', '.join(unused) or 'suggested'}")
    return values


def metadata_value(source: Object | str, reference: str, name: str, namespace: str) -> str:
    """What a reference to metadata stands for, in a trial of that name. Raises TemplateError."""
    found = METADATA.search(reference)
    key, index = _key_and_index(found[1]) if found else ("", "")
    if key == "Name":
        return name
    if key == "Namespace":
        return namespace
    obj = object_of(source)
    if key == "Kind":
        return str(obj.get("kind") or "")
    if key == "APIVersion":
        return str(obj.get("apiVersion") or "")
    held = {"Annotations": meta.annotations, "Labels": meta.labels}.get(key)
    if held is None:
        raise TemplateError(f"illegal reference of trial metadata: {reference}")
    value = held(obj).get(index)
    if value is None:
        raise TemplateError(
            f"illegal reference of trial metadata: {reference}; failed to fetch {key[:-1]}: {index}"
        )
    return str(value)


def _places(value: Any) -> _Places:
    if isinstance(value, str):
        return "${" in value
    if isinstance(value, dict):
        if any("${" in key for key in value):
            return True
        found = {key: _places(each) for key, each in value.items()}
    elif isinstance(value, list):
        found = {number: _places(each) for number, each in enumerate(value)}
    else:
        return False
    return {key: each for key, each in found.items() if each} or False


def _filled(value: Any, places: _Places, change: Callable[[str], str]) -> Any:
    if isinstance(places, bool):
        return _walk(value, change) if places else value
    made = value.copy()
    for key, each in places.items():
        made[key] = _filled(value[key], each, change)
    return made


def _walk(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value) if "${" in value else value
    if isinstance(value, dict):
        return {change(key) if "${" in key else key: _walk(each, change) for key, each in value.items()}
    if isinstance(value, list):
        return [_walk(each, change) for each in value]
    return value
