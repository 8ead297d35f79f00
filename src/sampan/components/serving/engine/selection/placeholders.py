"""`{{.Name}}`, `{{.Labels.x}}`, `{{.Annotations.x}}` in runtimes' containers, filled in from an object's metadata.

Source: kserve/kserve 0.20 pkg/controller/v1beta1/inferenceservice/utils/utils.go (ReplacePlaceholders), which executes
the container as one of Go's text templates; here those forms of an action are known that need no functions but
`index`. What is filled in stays one text, whatever characters it has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sampan.components.serving.api.reading import by_text
from sampan.kube import meta
from sampan.kube.meta import Object

_ACTION = re.compile(r"(?:(\s*)\{\{-(?=\s)|\{\{)(.*?)(?:(?<=\s)-\}\}(\s*)|\}\})", re.DOTALL)
_FIELD = re.compile(r"\.([A-Z][A-Za-z]*)(?:\.([A-Za-z_][A-Za-z0-9_]*))?")
_INDEX = re.compile(r"\(?\s*index\s+\.(Labels|Annotations)\s+(?:\\?\"([^\"\\]*)\\?\"|`([^`]*)`)\s*\)?")
_TEXT = re.compile(r"\\?\"([^\"\\]*)\\?\"|`([^`]*)`")
_MISSING = "<no value>"
"""What Go writes for a key that a map does not have."""
_MAPS = {"Labels": "labels", "Annotations": "annotations"}
_FIELDS = {
    "Name": "name",
    "Namespace": "namespace",
    "UID": "uid",
    "GenerateName": "generateName",
    "Generation": "generation",
    "ResourceVersion": "resourceVersion",
}


class PlaceholderError(Exception):
    """An action that is not known: the message says which ones are."""


def replaced(value: Any, metadata: Mapping[str, Any]) -> Any:
    """Of all texts in it, keys included. Raises PlaceholderError."""
    if isinstance(value, str):
        return _in_text(value, metadata) if "{{" in value else value
    if isinstance(value, dict):
        return {replaced(key, metadata): replaced(each, metadata) for key, each in value.items()}
    if isinstance(value, list):
        return [replaced(each, metadata) for each in value]
    return value


def metadata_of(service: Object, labels: Mapping[str, str]) -> Object:
    """With more labels than its own."""
    known = meta.metadata(service)
    return {**known, "labels": {**by_text(known.get("labels")), **labels}}


def _in_text(text: str, metadata: Mapping[str, Any]) -> str:
    made: list[str] = []
    at = 0
    for found in _ACTION.finditer(text):
        made += [text[at : found.start()], _value(found[2].strip(), metadata)]
        at = found.end()
    rest = text[at:]
    if "{{" in rest:
        raise PlaceholderError(f"unclosed action in {rest[:80]!r}: every {{{{ needs a }}}}")
    return "".join([*made, rest])


def _value(action: str, metadata: Mapping[str, Any]) -> str:
    if action.startswith("/*") and action.endswith("*/"):
        return ""
    if constant := _TEXT.fullmatch(action):
        return constant[1] if constant[1] is not None else constant[2]
    if index := _INDEX.fullmatch(action):
        # Of a map that is indexed, Go writes the type's zero value.
        return _of_map(index[1], index[2] if index[2] is not None else index[3], metadata, "")
    if field := _FIELD.fullmatch(action):
        name, key = field[1], field[2]
        if key is not None and name in _MAPS:
            return _of_map(name, key, metadata, _MISSING)
        if key is None and name in _FIELDS:
            return str(metadata.get(_FIELDS[name]) or ("0" if name == "Generation" else ""))
    raise PlaceholderError(
        f"{{{{{action[:80]}}}}} is not known: there are .Name, .Namespace, .UID, .Labels.KEY, .Annotations.KEY,"
        ' and (index .Labels "KEY"); a text with braces is written {{"{{"}}'
    )


def _of_map(name: str, key: str, metadata: Mapping[str, Any], missing: str) -> str:
    return by_text(metadata.get(_MAPS[name])).get(key, missing)
