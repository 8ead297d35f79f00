"""A request's message: a JSON body, `json=` in a form or a query, or the parts of a multipart form. Pure.

Source: seldon-core 1.18.2 python/seldon_core/flask_utils.py (get_request).
"""

from __future__ import annotations

import base64
import json
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qs

from sampan.components.serving.engine.programs.seldon_microservice.component import (
    SeldonMicroserviceException,
)

_NONE = "Can't find JSON in data"


def message_of(content_type: str, query: str, body: bytes) -> Any:
    """Raises SeldonMicroserviceException."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return _of_parts(content_type, body)
    form = body.decode("utf-8", "replace") if kind == "application/x-www-form-urlencoded" else ""
    for fields in (form, query):
        told = parse_qs(fields, keep_blank_values=True).get("json", [""])[0]
        if told:
            return _read(told)
    if not body:
        raise SeldonMicroserviceException(_NONE)
    return _read(body)


def raw_of(query: str, body: bytes) -> bytes | str:
    """As it came, for a class that reads it itself."""
    told = parse_qs(query, keep_blank_values=True).get("json", [""])[0]
    return told or body


def _of_parts(content_type: str, body: bytes) -> dict[str, Any]:
    """Fields by their names: `binData` from a file, `strData` from either, all others JSON."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    parsed = BytesParser(policy=HTTP).parsebytes(head + body)
    found: dict[str, Any] = {}
    for part in parsed.iter_parts() if parsed.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        data = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(data, bytes):
            continue
        if part.get_filename() is not None:
            found[name] = base64.b64encode(data).decode() if name == "binData" else _text(data)
        else:
            found[name] = _text(data) if name == "strData" else _read(data)
    if not found:
        raise SeldonMicroserviceException(_NONE)
    return found


def _read(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise SeldonMicroserviceException(_NONE) from None


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise SeldonMicroserviceException("strData has to be UTF-8 text: send bytes as binData") from None
