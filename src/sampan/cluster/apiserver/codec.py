"""Media types: what a request's body says, and in which form the answer is wanted.

A further format is one more entry in `_DECODERS`; protobuf, which needs the schema, stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import yaml

from sampan.cluster.apiserver import duplicates
from sampan.kube import wire
from sampan.kube.errors import BadRequestError, NotAcceptableError, UnsupportedMediaTypeError
from sampan.kube.schema import Schema

MAX_BODY_BYTES = 3 * 1024 * 1024
"""As kube-apiserver."""
MAX_DEPTH = 200
"""Of nested objects and arrays. Real objects stay below 40; a recursion limit would be reached at about 1,000."""

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
# The C parser where PyYAML was built with it.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ACCEPTED = f"{JSON}, {YAML}"
_ACCEPTED_BODIES = f"{_ACCEPTED}, {PROTOBUF}"


@dataclass(frozen=True, slots=True)
class Accepted:
    """`as_kind` is Table, PartialObjectMetadata, PartialObjectMetadataList, APIGroupDiscoveryList or empty."""

    media_type: str = JSON
    as_kind: str = ""
    version: str = ""


def accepted(header: str, kinds: tuple[str, ...] = ()) -> Accepted:
    """The first form of the Accept header that we have; `kinds` are the transformations on offer.

    Raises NotAcceptableError. Quality values are ignored, as in Kubernetes: the order is the preference.
    """
    if not header:
        return Accepted()
    for clause in header.split(","):
        media_type, *parameters = (part.strip() for part in clause.split(";"))
        options = dict(each.split("=", 1) for each in parameters if "=" in each)
        if media_type in ("*/*", "application/*"):
            media_type = JSON
        as_kind = options.get("as", "")
        if media_type not in (JSON, YAML) or (as_kind and as_kind not in kinds):
            continue
        return Accepted(media_type, as_kind, options.get("v", ""))
    raise NotAcceptableError(f"only the following media types are accepted: {_ACCEPTED}")


@dataclass(frozen=True, slots=True)
class Body:
    """`value` is None for an empty body. `duplicates`: what is wrong with keys that stand in it twice."""

    value: Any
    duplicates: tuple[str, ...] = ()


def decode_body(body: bytes, content_type: str, schema: Schema) -> Body:
    """Raises UnsupportedMediaTypeError, BadRequestError."""
    media_type = content_type.partition(";")[0].strip().lower() or JSON
    decoder = _DECODERS.get(media_type)
    if decoder is None and media_type != PROTOBUF:
        raise _unsupported(_ACCEPTED_BODIES)
    if not body:
        return Body(None)
    if decoder is None:
        return Body(decode_protobuf(body, schema))
    found = decoder(body)
    # Counting brackets clears nearly every body without a walk through it.
    if (media_type not in _JSON_TYPES or body.count(b"{") + body.count(b"[") > MAX_DEPTH) and _too_deep(
        found
    ):
        raise _deep()
    return Body(found, duplicates.find(body, found))


def decode_protobuf(body: bytes, schema: Schema) -> Any:
    """An object of a built-in kind. Others have no form in protobuf, as in Kubernetes."""
    try:
        api_version, kind, raw = wire.envelope(body)
        # Every group has DeleteOptions of its own, all of one type.
        name = kind if kind == "DeleteOptions" else schema.type_of(api_version, kind)
        if not name or not schema.type(name).in_protobuf:
            raise _unsupported(_ACCEPTED)
        found = {"apiVersion": api_version, "kind": kind, **wire.decode(schema, name, raw)}
    except wire.WireError as error:
        raise BadRequestError(f"the body of the request is not valid protobuf: {error}") from error
    if _too_deep(found):
        raise _deep()
    return found


def _unsupported(accepted: str) -> UnsupportedMediaTypeError:
    return UnsupportedMediaTypeError(
        f"the body of the request was in an unknown format - accepted media types include: {accepted}"
    )


def decode_json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequestError(f"the body of the request is not valid JSON: {error}") from error
    except RecursionError as error:
        raise _deep() from error


def decode_yaml(body: bytes) -> Any:
    """JSON is YAML, and much faster read as JSON."""
    if body.lstrip()[:1] in (b"{", b"["):
        return decode_json(body)
    try:
        for event in yaml.parse(body, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):
                # A few lines of aliases can stand for gigabytes.
                raise BadRequestError("the body of the request uses YAML aliases, which are not accepted")
        return yaml.load(body, Loader=_Loader)  # noqa: S506  a safe loader
    except (yaml.YAMLError, ValueError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" (line {where.line + 1})" if where else ""
        why = getattr(error, "problem", None) or error
        raise BadRequestError(f"the body of the request is not valid YAML: {why}{line}") from error
    except RecursionError as error:
        raise _deep() from error


def encode_yaml(value: Any) -> bytes:
    return yaml.safe_dump(value, sort_keys=True).encode()


class _Loader(_SafeLoader):  # type: ignore[misc]
    """Timestamps stay text, as in JSON."""

    yaml_implicit_resolvers = {  # noqa: RUF012  how PyYAML is configured
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _deep() -> BadRequestError:
    return BadRequestError(f"the body of the request is nested more than {MAX_DEPTH} levels deep")


def _too_deep(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below += [child for child in each.values() if isinstance(child, dict | list)]
            elif isinstance(each, list):
                below += [child for child in each if isinstance(child, dict | list)]
        if not below:
            return False
        level = below
    return True


_DECODERS: dict[str, Callable[[bytes], Any]] = {
    JSON: decode_json,
    "*/*": decode_json,
    YAML: decode_yaml,
    "text/yaml": decode_yaml,
    "application/json-patch+json": decode_json,
    "application/merge-patch+json": decode_json,
    "application/strategic-merge-patch+json": decode_json,
    "application/apply-patch+yaml": decode_yaml,
}
_JSON_TYPES = frozenset(media_type for media_type, decoder in _DECODERS.items() if decoder is decode_json)
