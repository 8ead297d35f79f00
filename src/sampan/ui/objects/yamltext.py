"""Objects as the YAML that people edit, and back, with the lines on which errors are. Pure.

Timestamps stay texts, as in Kubernetes; managedFields are left out (an update without them keeps them). Aliases are
refused, as the embedded API server refuses them: a few lines of them can stand for gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

_ORDER = ("apiVersion", "kind", "metadata", "type", "immutable", "spec", "data", "stringData")
_LAST = ("status",)
_MOST_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Problem:
    line: int
    """From 1; 0 where it belongs to none."""
    message: str
    field: str = ""


class YamlError(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Document:
    value: dict[str, Any]
    node: yaml.Node

    def line_of(self, path: str, kind: str = "") -> int:
        """Where a field stands, or the nearest above it that does. `kind` is the wrong type that it has, if known."""
        return _line(self.node, _segments(path), kind)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    yaml_implicit_resolvers = {  # noqa: RUF012  how PyYAML is configured
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as such; lists indented below their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, indentless=False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    # A block cannot hold a line that ends in blanks, and would be quoted after all.
    is_block = "\n" in value and not re.search(r"[ \t]\n|\t", value)
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if is_block else None)


_Dumper.add_representer(str, _text)


def dump(obj: Mapping[str, Any]) -> str:
    """Without managedFields; what everybody looks for first, first."""
    shown = {key: value for key, value in obj.items() if key not in ("metadata", *_LAST)}
    if isinstance(obj.get("metadata"), Mapping):
        shown["metadata"] = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    ordered = {key: shown.pop(key) for key in _ORDER if key in shown} | shown
    ordered |= {key: obj[key] for key in _LAST if key in obj}
    return yaml.dump(ordered, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


def parse(text: str) -> list[Document]:
    """Its documents, without empty ones. Raises YamlError with the line."""
    if len(text) > _MOST_BYTES:
        raise YamlError(Problem(0, "This is longer than the 2 MiB that can be edited here."))
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):
                raise YamlError(Problem(_at(event), "Aliases (*name) are not accepted: write it out."))
        return list(_documents(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        why, last = getattr(error, "problem", None) or str(error), max(1, len(text.splitlines()))
        raise YamlError(
            Problem(min(mark.line + 1, last) if mark else 0, f"This is not YAML: {why}.")
        ) from error
    except (ValueError, RecursionError) as error:
        raise YamlError(Problem(0, f"This cannot be read as YAML: {error}")) from error


def _at(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 0


def _documents(text: str) -> Iterator[Document]:
    nodes = [node for node in yaml.compose_all(text, Loader=_Loader) if node is not None]
    values = [value for value in yaml.load_all(text, Loader=_Loader) if value is not None]
    nodes = [node for node in nodes if node.tag != "tag:yaml.org,2002:null"]
    for node, value in zip(nodes, values, strict=True):
        _check_keys(node)
        if not isinstance(value, dict):
            raise YamlError(
                Problem(node.start_mark.line + 1, "An object is a mapping: apiVersion, kind, metadata, …")
            )
        yield Document(value, node)


def _check_keys(node: yaml.Node) -> None:
    left = [node]
    while left:
        each = left.pop()
        if isinstance(each, yaml.SequenceNode):
            left += each.value
        elif isinstance(each, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in each.value:
                name = str(key.value)
                if not isinstance(key, yaml.ScalarNode):
                    raise YamlError(Problem(key.start_mark.line + 1, "A key is a text."))
                if name in seen:
                    raise YamlError(Problem(key.start_mark.line + 1, f"{name} stands here twice.", name))
                seen.add(name)
                left.append(value)


_PATH_PART = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")


def _segments(path: str) -> list[str]:
    """`a.b[0].c[d.e/f]` as a, b, 0, c, d.e/f."""
    return [match[1] if match[1] is not None else match[2] for match in _PATH_PART.finditer(path)]


def _line(node: yaml.Node, segments: Sequence[str], kind: str) -> int:
    found = _find(node, segments, kind)
    return found if found is not None else _deepest(node, segments)


def _find(node: yaml.Node, segments: Sequence[str], kind: str) -> int | None:
    if not segments:
        if kind and _kind_of(node) != kind:
            return None
        return int(node.start_mark.line) + 1
    if isinstance(node, yaml.SequenceNode):
        if segments[0].isdigit():
            index = int(segments[0])
            return _find(node.value[index], segments[1:], kind) if index < len(node.value) else None
        # Go names fields without saying in which item of a list.
        return next((line for each in node.value if (line := _find(each, segments, kind)) is not None), None)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            # A key may hold dots itself, as those of annotations do.
            for length in range(len(segments), 0, -1):
                if key.value == ".".join(segments[:length]):
                    if length == len(segments):
                        return int(key.start_mark.line) + 1 if not kind or _kind_of(value) == kind else None
                    return _find(value, segments[length:], kind)
    return None


def _deepest(node: yaml.Node, segments: Sequence[str]) -> int:
    for length in range(len(segments) - 1, 0, -1):
        if (line := _find(node, segments[:length], "")) is not None:
            return line
    return int(node.start_mark.line) + 1


def _kind_of(node: yaml.Node) -> str:
    """In the words of Go's JSON decoder."""
    if isinstance(node, yaml.MappingNode):
        return "object"
    if isinstance(node, yaml.SequenceNode):
        return "array"
    kinds = {"int": "number", "float": "number", "bool": "bool", "str": "string"}
    return kinds.get(node.tag.rpartition(":")[2], "null")


_UNMARSHAL = re.compile(r"cannot unmarshal (\w+)(?: [^ ]+)? into Go struct field (\S+) of type (\S+)")
_STRICT = re.compile(r'(unknown|duplicate) field "([^"]+)"')


def problems(document: Document, message: str, causes: Iterable[tuple[str, str]] = ()) -> list[Problem]:
    """What an API said against a document, each at its line."""
    found = [Problem(document.line_of(field), text, field) for field, text in causes if field]
    if found:
        return found
    for kind, field in _STRICT.findall(message):
        told = "There is no such field." if kind == "unknown" else "This field stands here twice."
        found.append(Problem(document.line_of(field), told, field))
    for wrong, field, wanted in _UNMARSHAL.findall(message):
        path = field.partition(".")[2]
        told = f"This is a {wrong}, and should be {_WANTED.get(wanted.lstrip('*'), wanted)}."
        found.append(Problem(document.line_of(path, wrong), told, path))
    return found or [Problem(0, message)]


_WANTED = {
    "string": "a text: put it in quotes",
    "int": "a whole number",
    "int32": "a whole number",
    "int64": "a whole number",
    "bool": "true or false",
    "float64": "a number",
}
