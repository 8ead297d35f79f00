"""TensorFlow Serving's REST API: `/v1/models/…`, and its metrics where a monitoring configuration asks for them.

Source: tensorflow/serving 2.19 tensorflow_serving/model_servers/http_rest_api_{handler,util}.cc, g3doc/api_rest.md.
"""

from __future__ import annotations

import asyncio
import re
import sys
import traceback
from collections.abc import Awaitable
from typing import Any

import orjson
from google.protobuf import json_format

from sampan.components.serving.engine.programs.modelserver.batching import Outcome
from sampan.components.serving.engine.programs.modelserver.http.messages import (
    Reply,
    Request,
    Response,
    error,
)
from sampan.components.serving.engine.programs.modelserver.tfserving import asking, examples, predict_json
from sampan.components.serving.engine.programs.modelserver.tfserving.errors import (
    StatusError,
    code_of,
    invalid,
)
from sampan.components.serving.engine.programs.modelserver.tfserving.json_documents import parsed
from sampan.components.serving.engine.programs.modelserver.tfserving.signatures import DEFAULT, types
from sampan.components.serving.engine.programs.modelserver.tfserving.versions import Versions

_VERSION = r"(?:(?:/versions/(?P<version>\d+))|(?:/labels/(?P<label>[^/:]+)))?"
_ASKED = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){_VERSION}:(?P<verb>classify|regress|predict)", re.IGNORECASE | re.ASCII
)
_TOLD = re.compile(
    rf"/v1/models(?:/(?P<name>[^/:]+))?{_VERSION}(?:/(?P<metadata>metadata))?", re.IGNORECASE | re.ASCII
)
_MAX_VERSION = 2**63 - 1


class Rest:
    """For one event loop."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self._tasks: set[asyncio.Task[None]] = set()

    def route(self, request: Request, reply: Reply) -> None:
        """Of a path below /v1/models."""
        try:
            self._route(request, reply)
        except Exception as problem:
            reply(_refusal(problem))

    def _route(self, request: Request, reply: Reply) -> None:
        if request.method == "POST" and (found := _ASKED.fullmatch(request.path)):
            self._ask(found["verb"].lower(), found, request.body, reply)
        elif request.method in ("GET", "HEAD") and (found := _TOLD.fullmatch(request.path)):
            if not found["name"]:
                raise invalid("Missing model name in request.")
            reply(self._metadata(found) if found["metadata"] else self._status(found))
        else:
            raise invalid(f"Malformed request: {request.method} {request.path}")

    def _status(self, found: re.Match[str]) -> Response:
        return _json(asking.status_response(self._versions, found["name"], _number(found)))

    def _metadata(self, found: re.Match[str]) -> Response:
        version = self._versions.serving(found["name"], _number(found), found["label"] or "")
        spec = {"name": found["name"], "signature_name": "", "version": str(version.number)}
        told = {"model_spec": spec, "metadata": {"signature_def": _plain(asking.signature_map(version))}}
        return Response(200, orjson.dumps(told, option=orjson.OPT_INDENT_2))

    def _ask(self, verb: str, found: re.Match[str], body: bytes, reply: Reply) -> None:
        number, label = _number(found), found["label"] or ""
        document = parsed(body)
        name = predict_json.signature_of(document)
        if verb != "predict":
            given = examples.input_of(document)
            version = self._versions.serving(found["name"], number, label)
            ask = asking.classify if verb == "classify" else asking.regress
            self._spawn(_results(verb, ask(version, name, given), reply), reply)
            return
        version = self._versions.serving(found["name"], number, label)
        signature = version.signature(name)
        if signature is None:
            raise invalid(f'Serving signature name: "{name or DEFAULT}" not found in signature def')
        kinds = types(signature)
        if not kinds:
            raise invalid(f"Failed to get input map for signature: {name or 'DEFAULT'}")
        inputs, as_rows = predict_json.read(document, kinds)

        def done(outcome: Outcome) -> None:
            try:
                if isinstance(outcome, BaseException):
                    raise outcome
                answer = Response(200, predict_json.write(outcome, as_rows=as_rows))
            except Exception as problem:
                answer = _refusal(problem)
            reply(answer)

        asking.submit(version, name, inputs, done)

    def _spawn(self, work: Awaitable[None], reply: Reply) -> None:
        async def guarded() -> None:
            try:
                await work
            except Exception as problem:
                reply(_refusal(problem))

        task = asyncio.get_running_loop().create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _results(verb: str, asked: Awaitable[Any], reply: Reply) -> None:
    result = await asked
    if verb == "regress":
        told: list[Any] = [predict_json.shortest(each.value) for each in result.regressions]
    else:
        told = [
            [[each.label, predict_json.shortest(each.score)] for each in row.classes]
            for row in result.classifications
        ]
    reply(Response(200, predict_json.tokens({"results": told})))


def _number(found: re.Match[str]) -> int | None:
    told = found["version"]
    if not told:
        return None
    if int(told[:20]) > _MAX_VERSION or len(told) > 20:
        raise invalid(f"Failed to convert version: {told} to numeric.")
    return int(told)


def _plain(told: Any) -> Any:
    return json_format.MessageToDict(
        told, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _json(told: Any) -> Response:
    return Response(200, orjson.dumps(_plain(told), option=orjson.OPT_INDENT_2))


def _refusal(problem: BaseException) -> Response:
    code, words = code_of(problem)
    if code == "INTERNAL":
        traceback.print_exception(problem, file=sys.stderr)
    return error(StatusError(code, "").status, words)
