"""Server-side apply: who owns which field (`metadata.managedFields`), conflicts, and the merge itself. Pure.

An object carries managedFields from its creation when its creator is named, as every client's is; what our own parts
create in this process has none, so that their writes cost nothing. Its first apply then treats everything that was
there as owned by `before-first-apply`, and from then on every write is tracked.

A field is a path of steps as FieldsV1 writes them: `f:name`, `k:{"name":"web"}` (an item of a list that is merged
by key), `v:"x"` (an item of a set). Source: sigs.k8s.io/structured-merge-diff/v4 and
k8s.io/apimachinery/pkg/util/managedfields, v1.31.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.kube import fieldsets
from sampan.kube.errors import BadRequestError, Cause, ConflictError
from sampan.kube.fieldsets import ANY, FieldSet
from sampan.kube.meta import Object
from sampan.kube.schema import Schema, Shape

Path = tuple[str, ...]
Paths = frozenset[Path]

_BEFORE = "before-first-apply"
_UNMANAGED = frozenset(
    {("f:metadata",), *((f"f:{key}",) for key in fieldsets.UNMANAGED)}
    | {("f:metadata", f"f:{key}") for key in fieldsets.UNMANAGED_METADATA}
)


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes, when, and which version of the kind."""

    manager: str
    now: str
    api_version: str
    subresource: str = ""


def apply(
    schema: Schema, type_name: str, live: Object, config: Object, writer: Writer, *, force: bool
) -> Object:
    """`live` (empty if there is none) with `config` applied. Raises ConflictError, BadRequestError."""
    if (config.get("metadata") or {}).get("managedFields"):
        raise BadRequestError("metadata.managedFields must be nil")
    shape = Shape(type_name) if type_name else ANY
    entries = [dict(entry) for entry in (live.get("metadata") or {}).get("managedFields") or ()]
    present = _flatten(schema, shape, live)
    if live and not entries:
        entries.append(_entry(Writer(_BEFORE, writer.now, writer.api_version), "Update", frozenset(present)))
    wanted = _flatten(schema, shape, config)
    own = next((entry for entry in entries if _is(entry, writer, "Apply")), None)
    others = [entry for entry in entries if entry is not own]
    conflicts = _conflicts(others, wanted, present)
    if conflicts and not force:
        raise _conflict_error(conflicts)
    merged: Object = _merge(schema, shape, live, config)
    mine = frozenset(wanted)
    abandoned = (_paths(own) if own else frozenset()) - _with_parents(mine)
    for entry in others:
        _set_paths(entry, _paths(entry) - frozenset(path for _, path in conflicts), writer.now)
        abandoned -= _with_parents(_paths(entry))
    _remove(schema, shape, merged, abandoned, mine)
    if own is None:
        own = _entry(writer, "Apply", mine)
        others.append(own)
        kept = others
    else:
        _set_paths(own, mine, writer.now)
        kept = entries
    _store(merged, kept)
    return merged


def begin(schema: Schema, type_name: str, obj: Object, writer: Writer) -> None:
    """Sets the managedFields of an object that `writer` has created by other means than apply: all of it."""
    fields = fieldsets.of_object(schema, _shape(type_name), obj)
    _store(obj, [_entry_of(writer, "Update", fields)])


def track(schema: Schema, type_name: str, old: Object, new: Object, writer: Writer) -> None:
    """Sets the managedFields of `new`, written by other means than apply. Only where there are any yet."""
    entries = list((old.get("metadata") or {}).get("managedFields") or ())
    if not entries:
        return
    given = (new.get("metadata") or {}).get("managedFields")
    if given is not None and not any(given):
        # An empty list, or one empty entry, asks to forget.
        new["metadata"].pop("managedFields")
        return
    if given is not None and all(_is_readable(entry) for entry in given):
        # Whoever writes them knows what they do: so kubectl hands over what it has applied on its own side.
        entries = list(given)
    changed, gone = fieldsets.difference(schema, _shape(type_name), old, new)
    own = next((entry for entry in entries if _is(entry, writer, "Update")), None)
    kept = [_lessened(entry, changed if entry is not own else {}, gone) for entry in entries]
    if changed and own is not None:
        at = entries.index(own)
        fields = fieldsets.union(kept[at].get("fieldsV1") or {}, changed)
        kept[at] = {**kept[at], "fieldsV1": fields, "time": writer.now}
    elif changed:
        kept.append(_entry_of(writer, "Update", changed))
    _store(new, kept)


def _lessened(entry: Object, *taken: FieldSet) -> Object:
    """Without the fields that others have changed, or that are gone."""
    fields = before = entry.get("fieldsV1") or {}
    for each in taken:
        if each:
            fields = fieldsets.without(fields, each) or {}
    return entry if fields is before else {**entry, "fieldsV1": fields}


def _shape(type_name: str) -> Shape:
    return Shape(type_name) if type_name else ANY


def _is_readable(entry: Object) -> bool:
    is_named = isinstance(entry.get("manager"), str) and entry.get("operation") in ("Apply", "Update")
    return is_named and entry.get("fieldsType") == "FieldsV1" and _is_nested(entry.get("fieldsV1"))


def _is_nested(fields: Any) -> bool:
    return isinstance(fields, dict) and all(_is_nested(below) for below in fields.values())


def encode_paths(paths: Paths) -> Object:
    """As FieldsV1."""
    root: Object = {}
    for path in sorted(paths):
        node = root
        for step in path:
            node = node.setdefault(step, {})
        node["."] = {}
    return _without_lone_dots(root)


def decode_paths(fields: Mapping[str, Any], prefix: Path = ()) -> Paths:
    """Of FieldsV1."""
    found: set[Path] = set()
    for step, below in fields.items():
        if step == ".":
            found.add(prefix)
        elif not below:
            found.add((*prefix, step))
        else:
            found |= decode_paths(below, (*prefix, step))
    return frozenset(found)


def _without_lone_dots(node: Object) -> Object:
    return {} if node.keys() == {"."} else {key: _without_lone_dots(each) for key, each in node.items()}


def _with_parents(paths: Paths) -> Paths:
    """An item of which somebody owns a field stays."""
    return frozenset(path[:length] for path in paths for length in range(1, len(path) + 1))


# Entries.


def _entry(writer: Writer, operation: str, paths: Paths) -> Object:
    return _entry_of(writer, operation, encode_paths(paths))


def _entry_of(writer: Writer, operation: str, fields: FieldSet) -> Object:
    entry = {
        "manager": writer.manager,
        "operation": operation,
        "apiVersion": writer.api_version,
        "time": writer.now,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    if writer.subresource:
        entry["subresource"] = writer.subresource
    return entry


def _is(entry: Object, writer: Writer, operation: str) -> bool:
    return (entry.get("manager"), entry.get("operation"), entry.get("subresource", "")) == (
        writer.manager,
        operation,
        writer.subresource,
    )


def _paths(entry: Object) -> Paths:
    return decode_paths(entry.get("fieldsV1") or {})


def _set_paths(entry: Object, paths: Paths, now: str) -> None:
    """The time changes with the fields only, so that applying the same again changes nothing."""
    if paths != _paths(entry):
        entry["fieldsV1"] = encode_paths(paths)
        entry["time"] = now


def _store(obj: Object, entries: list[Object]) -> None:
    kept = [entry for entry in entries if entry.get("fieldsV1")]
    obj["metadata"] = {**(obj.get("metadata") or {}), "managedFields": kept}
    if not kept:
        del obj["metadata"]["managedFields"]


def _conflicts(
    others: list[Object], wanted: Mapping[Path, Any], present: Mapping[Path, Any]
) -> list[tuple[Object, Path]]:
    differing = {path for path, value in wanted.items() if path in present and present[path] != value}
    return [(entry, path) for entry in others for path in sorted(_paths(entry) & differing)]


def _conflict_error(conflicts: list[tuple[Object, Path]]) -> ConflictError:
    causes = [
        Cause("FieldManagerConflict", _readable(path), f"conflict with {_owner(entry)}")
        for entry, path in conflicts
    ]
    if len(causes) == 1:
        return ConflictError(
            f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}", causes=causes
        )
    by_owner: dict[str, list[str]] = {}
    for entry, path in conflicts:
        by_owner.setdefault(_owner(entry), []).append(f"- {_readable(path)}")
    lines = [line for owner in sorted(by_owner) for line in (f"conflicts with {owner}:", *by_owner[owner])]
    return ConflictError(f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines), causes=causes)


def _owner(entry: Object) -> str:
    """Of an update, also when it was: those of one manager are told apart by that."""
    words = json.dumps(entry["manager"], ensure_ascii=False)
    if subresource := entry.get("subresource"):
        words += f' with subresource "{subresource}"'
    if entry.get("operation") == "Update":
        words += f" using {entry['apiVersion']}"
        if entry.get("time"):
            words += f" at {entry['time']}"
    return words


def _readable(path: Path) -> str:
    text = ""
    for step in path:
        kind, _, rest = step.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            keys = ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(rest).items())
            text += f"[{keys}]"
        else:
            text += f"[={rest}]"
    return text


# Objects.


def _flatten(schema: Schema, shape: Shape, obj: Object) -> dict[Path, Any]:
    """Every field that can be owned, with its value; an item of a list as itself and by its fields."""
    found: dict[Path, Any] = {}
    _collect(schema, shape, obj, (), found)
    return {
        path: value for path, value in found.items() if path not in _UNMANAGED and path[:2] not in _UNMANAGED
    }


def _collect(schema: Schema, shape: Shape, value: Any, path: Path, found: dict[Path, Any]) -> None:
    if isinstance(value, dict) and not fieldsets.is_atomic(schema, shape) and (value or not path):
        for key, each in value.items():
            _collect(schema, fieldsets.child(schema, shape, key), each, (*path, f"f:{key}"), found)
    elif isinstance(value, list) and shape.keys is not None and value:
        for item in value:
            below = (*path, fieldsets.item_step(schema, shape, item))
            found[below] = True
            if shape.keys:
                _collect(schema, shape.item or ANY, item, below, found)
    else:
        found[path] = value


def _merge(schema: Schema, shape: Shape, live: Any, config: Any) -> Any:
    if isinstance(config, dict):
        if fieldsets.is_atomic(schema, shape) or not isinstance(live, dict):
            return config
        merged = dict(live)
        for key, value in config.items():
            merged[key] = _merge(schema, fieldsets.child(schema, shape, key), live.get(key), value)
        return merged
    if not isinstance(config, list) or shape.keys is None or not isinstance(live, list):
        return config
    items = {fieldsets.item_step(schema, shape, item): item for item in live}
    for item in config:
        step = fieldsets.item_step(schema, shape, item)
        items[step] = _merge(schema, shape.item or ANY, items.get(step), item) if shape.keys else item
    return list(items.values())


def _remove(schema: Schema, shape: Shape, obj: Any, paths: Paths, wanted: Paths) -> None:
    """Takes `paths` out of `obj`, and what they leave empty unless it is wanted so."""
    # An item of a list before its fields: without its key it could not be found any more.
    for path in sorted(paths, key=len):
        _remove_one(schema, shape, obj, path, (wanted, 0))


def _remove_one(schema: Schema, shape: Shape, holder: Any, path: Path, where: tuple[Paths, int]) -> None:
    """`where`: what stays though empty, and how deep in `path` the holder is. Shared parts are copied first."""
    wanted, depth = where
    step, last, below = path[depth], depth + 1 == len(path), (wanted, depth + 1)
    if isinstance(holder, dict) and step.startswith("f:"):
        key = step[2:]
        if key not in holder:
            return
        if not last:
            holder[key] = _shallow(holder[key])
            _remove_one(schema, fieldsets.child(schema, shape, key), holder[key], path, below)
        emptied = holder[key] in ({}, []) and key != "metadata" and path[: depth + 1] not in wanted
        if last or emptied:
            del holder[key]
    elif isinstance(holder, list):
        for at, item in enumerate(holder):
            if fieldsets.item_step(schema, shape, item) != step:
                continue
            if last:
                del holder[at]
            elif path[depth + 1][2:] not in (shape.keys or ()):
                # An item that stays keeps what it is found by.
                holder[at] = _shallow(item)
                _remove_one(schema, shape.item or ANY, holder[at], path, below)
            return


def _shallow(value: Any) -> Any:
    if isinstance(value, dict):
        return dict(value)
    return list(value) if isinstance(value, list) else value
