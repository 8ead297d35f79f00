"""An OpenAPI v2 document as the protobuf message that kubectl before 1.27 reads: gnostic's openapi.v2.Document.

Called by `documents` with the document as JSON would write it. Source: google/gnostic-models
openapiv2/OpenAPIv2.proto, v0.7; only the fields that our documents have.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""As the answer says it; requests ask for it with `@v1.0` in place of `.v1.0` too."""


def encode(document: Mapping[str, Any]) -> bytes:
    info = _texts({1: document["info"]["title"], 2: document["info"]["version"]})
    paths = (_message(2, _named(path, _path_item(item))) for path, item in document["paths"].items())
    definitions = (
        _message(1, _named(name, _schema(schema))) for name, schema in document["definitions"].items()
    )
    return b"".join(
        [
            _text(1, document["swagger"]),
            _message(2, info),
            _message(8, b"".join(paths)),
            _message(9, b"".join(definitions)),
        ]
    )


def _path_item(item: Mapping[str, Any]) -> bytes:
    numbers = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}
    operations = [_message(numbers[method], _operation(item[method])) for method in numbers if method in item]
    return b"".join([*operations, _parameters(9, item["parameters"])])


def _operation(operation: Mapping[str, Any]) -> bytes:
    responses = (
        _message(1, _named(code, _message(1, _response(response))))
        for code, response in operation["responses"].items()
    )
    return b"".join(
        [
            _text(3, operation["description"]),
            *(_text(6, media) for media in operation["produces"]),
            *(_text(7, media) for media in operation["consumes"]),
            _parameters(8, operation["parameters"]),
            _message(9, b"".join(responses)),
            _extensions(13, operation),
        ]
    )


def _response(response: Mapping[str, Any]) -> bytes:
    return _text(1, response["description"]) + _message(2, _message(1, _schema(response["schema"])))


def _parameters(number: int, parameters: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(_message(number, _message(1, _parameter(each))) for each in parameters)


def _parameter(parameter: Mapping[str, Any]) -> bytes:
    where, required = parameter["in"], parameter.get("required", False)
    description = parameter.get("description", "")
    if where == "body":
        schema = _message(5, _schema(parameter["schema"]))
        body = _texts({1: description, 2: parameter["name"], 3: where}) + _flag(4, required) + schema
        return _message(1, body)
    # The two kinds differ in that a query parameter may be empty, which moves what follows by one.
    later = 1 if where == "query" else 0
    plain = b"".join(
        [
            _flag(1, required),
            _texts({2: where, 3: description, 4: parameter["name"], 5 + later: parameter["type"]}),
            _flag(19 + later, parameter["uniqueItems"]),
        ]
    )
    return _message(2, _message(3 if where == "query" else 4, plain))


def _schema(schema: Mapping[str, Any]) -> bytes:
    written = [
        _texts({1: schema.get("$ref", ""), 2: schema.get("format", ""), 4: schema.get("description", "")})
    ]
    if "default" in schema:
        written.append(_message(5, _any(schema["default"])))
    written += [_text(19, name) for name in schema.get("required", ())]
    if "additionalProperties" in schema:
        inner = schema["additionalProperties"]
        item = _flag(2, inner) if isinstance(inner, bool) else _message(1, _schema(inner))
        written.append(_message(21, item))
    if "type" in schema:
        written.append(_message(22, _text(1, schema["type"])))
    if "items" in schema:
        written.append(_message(23, _message(1, _schema(schema["items"]))))
    properties = [
        _message(1, _named(key, _schema(each))) for key, each in schema.get("properties", {}).items()
    ]
    if properties:
        written.append(_message(25, b"".join(properties)))
    return b"".join([*written, _extensions(31, schema)])


def _extensions(number: int, holder: Mapping[str, Any]) -> bytes:
    return b"".join(
        _message(number, _named(key, _any(value))) for key, value in holder.items() if key.startswith("x-")
    )


def _any(value: Any) -> bytes:
    """JSON is YAML."""
    return _text(2, json.dumps(value) + "\n")


def _named(name: str, value: bytes) -> bytes:
    return _text(1, name) + _message(2, value)


def _texts(values: Mapping[int, str]) -> bytes:
    return b"".join(_text(number, value) for number, value in values.items() if value)


def _text(number: int, value: str) -> bytes:
    return _message(number, value.encode())


def _flag(number: int, value: bool) -> bytes:
    return _varint(number << 3) + b"\x01" if value else b""


def _message(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
