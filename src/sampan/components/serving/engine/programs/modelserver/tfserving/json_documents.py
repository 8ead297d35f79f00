"""A request's body as JSON, read as TensorFlow Serving reads it: NaN and Infinity are numbers, mistakes are named as
RapidJSON does, and a document may be nested to any depth. Pure.

Source: tensorflow/serving 2.19 tensorflow_serving/util/json_tensor.cc (ParseJson), RapidJSON 1.1
include/rapidjson/reader.h (kParseIterativeFlag: IterativeParse, HandleError).
"""

from __future__ import annotations

import bisect
import json
import re
from typing import Any

import orjson

from sampan.components.serving.engine.programs.modelserver.tfserving.errors import StatusError, invalid
from sampan.components.serving.engine.programs.modelserver.tfserving.json_values import shown

_WORDS = (
    ("Expecting property name", "Missing a name for object member."),
    ("Expecting ':'", "Missing a colon after a name of object member."),
    ("Unterminated string", "Missing a closing quotation mark in string."),
    ("Invalid control character", "Invalid encoding in string."),
    ("Invalid \\", "Invalid escape character in string."),
)
_IN_OBJECT = "Missing a comma or } after an object member."
_IN_ARRAY = "Missing a comma or ] after an array element."
_TOKENS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)
_LEVELS = 256
"""Of what is read at a time. Messages show fewer, and no tensor has as many."""
_LONGEST = 4 << 20
"""Characters of a document whose brackets are looked at one by one, while all others wait."""


def parsed(body: bytes) -> dict[str, Any]:
    """The request's object. Raises StatusError."""
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = _lenient(body)
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {shown(document)} Is not object")
    return document


def _lenient(body: bytes) -> Any:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise invalid(f"JSON Parse error: Invalid encoding in string. at offset: {error.start}") from None
    start = len(text) - len(text.lstrip())
    try:
        # What comes after the document is not looked at.
        return json.JSONDecoder().raw_decode(text, start)[0]
    except json.JSONDecodeError as error:
        raise _mistake(text, error.msg, error.pos) from None
    except RecursionError:
        return _deep(text, start)


def _mistake(text: str, message: str, place: int) -> StatusError:
    if not text.strip():
        return invalid("JSON Parse error: The document is empty. at offset: 0")
    words = next((theirs for ours, theirs in _WORDS if message.startswith(ours)), "Invalid value.")
    if message.startswith("Expecting ','"):
        words = _IN_ARRAY if _is_in_array(text, place) else _IN_OBJECT
    return invalid(f"JSON Parse error: {words} at offset: {len(text[:place].encode())}")


def _is_in_array(text: str, place: int) -> bool:
    if place > _LONGEST:
        return False
    opened = []
    for found in _TOKENS.finditer(text, 0, place):
        if found[0] in "[{":
            opened.append(found[0])
        elif found[0] in "]}":
            opened.pop()
    return opened[-1:] == ["["]


class _Part:
    """Some levels of a document: what is deeper is cut out, once it has been read for itself."""

    def __init__(self, start: int) -> None:
        self._next = start
        self._texts: list[str] = []
        self._length = 0
        self._places: list[tuple[int, int]] = []

    def take(self, text: str, end: int) -> None:
        self._places.append((self._length, self._next))
        self._add(text[self._next : end])
        self._next = end

    def leave_out(self, text: str, end: int) -> None:
        self._add("[]" if text[self._next] == "[" else "{}")
        self._next = end

    def _add(self, text: str) -> None:
        self._texts.append(text)
        self._length += len(text)

    def value(self, text: str) -> Any:
        try:
            return json.JSONDecoder().raw_decode("".join(self._texts))[0]
        except json.JSONDecodeError as error:
            at, place = self._places[bisect.bisect_right(self._places, (error.pos, len(text))) - 1]
            raise _mistake(text, error.msg, place + error.pos - at) from None


def _deep(text: str, start: int) -> Any:
    """Of what is deeper than so many levels nothing is in the value, though it is read. Raises StatusError."""
    if len(text) > _LONGEST:
        raise invalid("JSON Parse error: the document is nested too deeply for its length")
    parts, depth = [_Part(start)], 0
    for found in _TOKENS.finditer(text, start):
        if found[0] in "[{":
            if depth and depth % _LEVELS == 0:
                parts[-1].take(text, found.start())
                parts.append(_Part(found.start()))
            depth += 1
        elif found[0] in "]}":
            depth -= 1
            if depth <= 0:
                break
            if depth % _LEVELS == 0:
                inner = parts.pop()
                inner.take(text, found.end())
                inner.value(text)
                parts[-1].leave_out(text, found.end())
    # More than one, where the document ends too early: the innermost says so.
    while len(parts) > 1:
        parts[-1].take(text, len(text))
        parts.pop().value(text)
    parts[0].take(text, len(text))
    return parts[0].value(text)
