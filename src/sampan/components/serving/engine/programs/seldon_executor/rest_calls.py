"""Units asked over HTTP. Messages are passed on as they came; only what combines or chains reads them.

Not so here: tensors of the Open Inference Protocol that come as bytes behind the JSON go on as such, and a unit that
refuses connections is tried again for a moment.

Source: seldon-core 1.18.2 executor/api/rest/{client,utils,tensorflow,kfserving}.go, executor/api/util/utils.go.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sampan.components.serving.engine.programs.seldon_executor.execution import (
    AGGREGATE,
    METADATA,
    PREDICT,
    ROUTE,
    SEND_FEEDBACK,
    STATUS,
    TRANSFORM_INPUT,
    TRANSFORM_OUTPUT,
    CallError,
)
from sampan.components.serving.engine.programs.seldon_executor.graph import Unit
from sampan.components.serving.engine.programs.seldon_executor.metrics import Metrics
from sampan.components.serving.engine.programs.wire.client import Answer, Origin, Pool, TooLargeError
from sampan.components.serving.engine.programs.wire.heads import HeadError, Headers, end_to_end

JSON = "application/json"
SELDON, TENSORFLOW, V2, KFSERVING = "seldon", "tensorflow", "v2", "kfserving"
MOST_BYTES = 512 * 1024 * 1024
_PAUSES = (0.05, 0.1, 0.2, 0.4)
"""Seconds between tries."""
_ANY_UNPACKED, _MOST_TIMES = 16 * 1024 * 1024, 200
"""What any body may become that came compressed, and how many times its size."""
BINARY = "Inference-Header-Content-Length"
"""Of the Open Inference Protocol: how much of the body is JSON, where tensors follow it as bytes."""
_OWN = frozenset(
    {
        *("host", "content-length", "content-type", "accept-encoding", "expect", "content-encoding"),
        BINARY.lower(),
    }
)
_PATHS: Mapping[str, Mapping[str, str]] = {
    SELDON: {
        **{
            each: f"/{each}"
            for each in (PREDICT, TRANSFORM_INPUT, TRANSFORM_OUTPUT, AGGREGATE, ROUTE, SEND_FEEDBACK)
        },
        STATUS: "/health/status",
        METADATA: "/metadata",
    },
    TENSORFLOW: {
        **dict.fromkeys((PREDICT, TRANSFORM_INPUT, TRANSFORM_OUTPUT), "/v1/models/{}:predict"),
        **{each: f"/v1/models/{{}}:{each}" for each in (AGGREGATE, ROUTE)},
        STATUS: "/v1/models/{}",
        METADATA: "/v1/models/{}/metadata",
    },
    V2: {
        **dict.fromkeys((PREDICT, TRANSFORM_INPUT, TRANSFORM_OUTPUT), "/v2/models/{}/infer"),
        **{each: f"/v2/models/{{}}/{each}" for each in (AGGREGATE, ROUTE)},
        STATUS: "/v2/models/{}/ready",
        METADATA: "/v2/models/{}",
    },
}


@dataclass(frozen=True, slots=True)
class Payload:
    body: bytes
    content_type: str = JSON
    encoding: str = ""
    json_length: str = ""
    """As BINARY says it; empty where all is JSON."""

    @property
    def headers(self) -> Headers:
        found: Headers = [("Content-Type", self.content_type or JSON)]
        found += [("Content-Encoding", self.encoding)] if self.encoding else []
        return [*found, (BINARY, self.json_length)] if self.json_length else found

    @property
    def plain(self) -> bytes:
        """Without the encoding. Raises CallError."""
        return _unpacked(self.body, self.encoding) if self.encoding in ("gzip", "deflate") else self.body


def _unpacked(body: bytes, encoding: str) -> bytes:
    """Few bytes become many more only where that is little. Raises CallError."""
    # 31 reads gzip's heads, 15 zlib's.
    unpacking = zlib.decompressobj(31 if encoding == "gzip" else 15)
    try:
        unpacked = unpacking.decompress(body, max(_ANY_UNPACKED, _MOST_TIMES * len(body)))
    except zlib.error as error:
        raise CallError(f"the body is no {encoding}: {error}", 400) from error
    if unpacking.unconsumed_tail:
        raise CallError(f"the body is too large: it has more than {len(unpacked)} bytes, unpacked", 413)
    if not unpacking.eof:
        raise CallError(f"the body is no {encoding}: it ends before its end", 400)
    return unpacked


class RestCalls:
    """For one request: implements `execution.Caller`."""

    def __init__(
        self, pool: Pool, protocol: str, headers: Headers, *, model: str = "", timeout_seconds: float = 0
    ) -> None:
        """`headers` are the request's; `model` the name that it asked by, in place of a unit's."""
        self._pool, self._model = pool, model
        self._protocol = V2 if protocol == KFSERVING else protocol
        self._headers = [each for each in end_to_end(headers) if each[0].lower() not in _OWN]
        self._timeout = timeout_seconds or None
        self.metrics: Metrics | None = None
        """Where calls are counted."""

    async def ask(self, unit: Unit, method: str, given: Payload | None) -> Payload:
        if method == SEND_FEEDBACK and self._protocol != SELDON:
            return given or Payload(b"")
        path = _PATHS[self._protocol][method].format(quote(self._model or unit.name, safe=""))
        if not unit.host or not unit.http_port:
            raise CallError(f"{unit.name} has no container to ask")
        headers = list(self._headers)
        if given is not None:
            headers += given.headers
        verb = "GET" if given is None else "POST"
        origin, began = Origin(unit.host, unit.http_port), time.monotonic()
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._sent(verb, origin, path, headers, given.body if given else b"")
                body = await answer.read(MOST_BYTES)
        except (OSError, ssl.SSLError, HeadError, TooLargeError, TimeoutError) as error:
            reason = (
                "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
            )
            raise CallError(f'{verb} "http://{origin.authority}{path}": {reason}') from error
        if self.metrics is not None:
            self.metrics.asked(unit, path, verb, str(answer.status), time.monotonic() - began)
        encoding, json_length = answer.get("content-encoding"), answer.get(BINARY.lower())
        found = Payload(body, answer.get("content-type", JSON), encoding, json_length)
        if answer.status != 200:
            where = f"http://{origin.authority}{path}"
            raise CallError(
                f"Internal service call from executor failed calling {where} status code {answer.status}",
                answer.status,
                found,
            )
        return found

    async def _sent(self, verb: str, origin: Origin, path: str, headers: Headers, body: bytes) -> Answer:
        """Tries again where nobody listens, as while a unit's pods are replaced: nothing was sent."""
        for pause in _PAUSES:
            try:
                return await self._pool.request(verb, origin, path, headers, body)
            except ConnectionRefusedError:
                await asyncio.sleep(pause)
        return await self._pool.request(verb, origin, path, headers, body)

    async def combine(self, unit: Unit, given: Sequence[Payload]) -> Payload:
        bodies = []
        for each in given:
            body = each.plain
            _read(body)
            bodies.append(body)
        return await self.ask(
            unit, AGGREGATE, Payload(b"[" + b",".join(bodies) + b"]", given[0].content_type)
        )

    def chained(self, given: Payload, _unit: Unit) -> Payload:
        if self._protocol == SELDON:
            return given
        plain, length = given.plain, int(given.json_length) if given.json_length.isdecimal() else None
        is_json = given.content_type.partition(";")[0].strip() == JSON
        value = _read(plain[:length]) if is_json or length is not None else None
        if not isinstance(value, dict):
            return given
        known, before, after = (
            (("instances", "inputs"), "predictions", "instances")
            if self._protocol == TENSORFLOW
            else (("inputs",), "outputs", "inputs")
        )
        if any(key in value for key in known):
            return given
        if before not in value:
            raise CallError(
                f"Failed to convert {self._protocol} response so it could be chained to new input"
            )
        value[after] = value.pop(before)
        if length is None:
            return self.from_json(value)
        head = json.dumps(value).encode()
        return Payload(head + plain[length:], given.content_type, json_length=str(len(head)))

    def to_json(self, given: Payload) -> dict[str, Any]:
        found = _read(given.plain)
        if not isinstance(found, dict):
            raise CallError("the message is no JSON object", 400)
        return found

    def from_json(self, value: Mapping[str, Any]) -> Payload:
        return Payload(json.dumps(value).encode())

    def route_of(self, answer: Payload) -> int:
        value = _read(answer.plain)
        data = value.get("data") if isinstance(value, dict) else None
        found: Any = value if isinstance(value, list) else None
        if isinstance(data, dict):
            tensor = data.get("tensor")
            found = tensor.get("values") if isinstance(tensor, dict) else data.get("ndarray")
        while isinstance(found, list) and found:
            found = found[0]
        if isinstance(found, int | float):
            return int(found)
        if isinstance(value, dict):
            # As upstream reads a message without data.
            return -1
        raise CallError("a router answers with the number of a child")

    def routing_of(self, feedback: Payload, unit: str) -> int:
        found: Any = _read(feedback.plain)
        for key in ("response", "meta", "routing", unit):
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, int) else -1

    def with_routing(self, answer: Payload, routing: Mapping[str, int]) -> Payload:
        value = _read(answer.plain)
        if not isinstance(value, dict) or not isinstance(value.get("meta"), dict):
            return answer
        value["meta"]["routing"] = dict(routing)
        return self.from_json(value)


def failure(message: str, status: int = 500) -> Payload:
    told = {"status": {"code": status, "info": message, "status": "FAILURE"}}
    return Payload(json.dumps(told).encode())


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise CallError("Data is not JSON", 400) from None
