"""JSON patch (RFC 6902) and JSON merge patch (RFC 7386), with Kubernetes' error texts.

Inputs stay as they are.

Strategic merge patch is in `strategic`, server-side apply in `managedfields`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sampan.kube.errors import ApiError, BadRequestError, InvalidError

MAX_OPERATIONS = 10_000
"""As kube-apiserver: `maxJSONPatchOperations`."""


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386. Nothing of `target` is changed; unchanged parts are shared with the result."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            result[key] = merge(result.get(key), value)
        else:
            result[key] = value
    return result


def json_patch(target: Any, operations: Any) -> Any:
    """RFC 6902. Raises BadRequestError for a malformed patch, InvalidError for one that does not apply."""
    if not isinstance(operations, Sequence) or isinstance(operations, str):
        raise BadRequestError("error decoding patch: a JSON patch is an array of operations")
    if len(operations) > MAX_OPERATIONS:
        raise _unapplicable(
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        )
    document = _copied(target)
    for operation in operations:
        document = _apply(document, operation)
    return document


def _apply(document: Any, operation: Any) -> Any:
    if not isinstance(operation, Mapping) or not isinstance(operation.get("path"), str):
        raise BadRequestError('error decoding patch: every operation needs an "op" and a "path"')
    kind, path = operation.get("op"), str(operation["path"])
    match kind:
        case "add":
            return _add(document, path, _copied(_value(operation)))
        case "remove":
            return _remove(document, path)[0]
        case "replace":
            if _read(document, path, "replace") is _MISSING:
                raise _unapplicable(f"replace operation does not apply: doc is missing key: {path}")
            return _replace(document, path, _copied(_value(operation)))
        case "move":
            document, value = _remove(document, _origin(operation), "move")
            return _add(document, path, value)
        case "copy":
            value = _read(document, _origin(operation), "copy")
            if value is _MISSING:
                raise _unapplicable(
                    f"copy operation does not apply: doc is missing key: {_origin(operation)}"
                )
            return _add(document, path, _copied(value))
        case "test":
            found = _read(document, path, "test")
            if not _equal(None if found is _MISSING else found, operation.get("value")):
                raise _unapplicable(f"testing value {path} failed")
            return document
    raise BadRequestError(f"error decoding patch: unexpected operation: {kind}")


_MISSING = object()


def _value(operation: Mapping[str, Any]) -> Any:
    if "value" not in operation:
        raise BadRequestError(f'error decoding patch: operation "{operation["op"]}" needs a "value"')
    return operation["value"]


def _origin(operation: Mapping[str, Any]) -> str:
    if not isinstance(operation.get("from"), str):
        raise BadRequestError(f'error decoding patch: operation "{operation["op"]}" needs a "from"')
    return str(operation["from"])


def _keys(path: str) -> list[str]:
    if path == "":
        return []
    if not path.startswith("/"):
        raise BadRequestError(f'error decoding patch: path "{path}" does not start with "/"')
    return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]


def _parent(document: Any, path: str, keys: list[str], verb: str) -> Any:
    for key in keys[:-1]:
        document = _child(document, key)
        if document is _MISSING:
            raise _unapplicable(f'{verb} operation does not apply: doc is missing path: "{path}"')
    if not isinstance(document, dict | list):
        raise _unapplicable(f'{verb} operation does not apply: doc is missing path: "{path}"')
    return document


def _child(container: Any, key: str) -> Any:
    if isinstance(container, dict):
        return container.get(key, _MISSING)
    if isinstance(container, list) and key.isdecimal() and int(key) < len(container):
        return container[int(key)]
    return _MISSING


def _read(document: Any, path: str, verb: str) -> Any:
    keys = _keys(path)
    return _child(_parent(document, path, keys, verb), keys[-1]) if keys else document


def _add(document: Any, path: str, value: Any) -> Any:
    keys = _keys(path)
    if not keys:
        return value
    parent, key = _parent(document, path, keys, "add"), keys[-1]
    if isinstance(parent, dict):
        parent[key] = value
        return document
    if key != "-" and not (key.isdecimal() and int(key) <= len(parent)):
        raise _unapplicable(f"add operation does not apply: unable to access invalid index: {key}")
    parent.insert(len(parent) if key == "-" else int(key), value)
    return document


def _replace(document: Any, path: str, value: Any) -> Any:
    keys = _keys(path)
    if not keys:
        return value
    parent = _parent(document, path, keys, "replace")
    parent[keys[-1] if isinstance(parent, dict) else int(keys[-1])] = value
    return document


def _remove(document: Any, path: str, verb: str = "remove") -> tuple[Any, Any]:
    keys = _keys(path)
    if not keys:
        raise _unapplicable(f"{verb} operation does not apply: the whole document cannot be removed")
    parent = _parent(document, path, keys, verb)
    if _child(parent, keys[-1]) is _MISSING:
        raise _unapplicable(f"{verb} operation does not apply: doc is missing key: {path}")
    return document, parent.pop(keys[-1] if isinstance(parent, dict) else int(keys[-1]))


def _equal(left: Any, right: Any) -> bool:
    # Python takes True for 1; JSON does not.
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return bool(left == right)


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_copied(each) for each in value]
    return value


def _unapplicable(why: str) -> ApiError:
    return InvalidError(f"the server rejected our request due to an error in our request: {why}")
