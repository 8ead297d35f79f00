"""The predictor that a transformer asks, over V1, V2 or gRPC: connections are kept, its errors are passed on.

Plain asyncio, for an environment need not have an HTTP client. Source of the behaviour: kserve 0.20
python/kserve/kserve/{predictor_config,inference_client}.py, model.py (which headers go on).
"""

from __future__ import annotations

import asyncio
import importlib
import ssl
from collections.abc import Mapping
from typing import Any

import orjson

from sampan.components.serving.engine.programs.modelserver import v2
from sampan.components.serving.engine.programs.modelserver.errors import RequestError

V1, V2, GRPC = "v1", "v2", "grpc-v2"
FORWARDED = frozenset({"x-request-id", "x-b3-traceid", "authorization", "traceparent", "tracestate"})
_MAX_IDLE = 64
_READY_SECONDS = 10.0
"""For the predictor to say whether it is ready: who asks asks again."""
_HEAD_LIMIT = 256 * 1024
_PACKAGE = "sampan.components.serving.engine.programs.modelserver"


class PredictorConfig:
    """With kserve's names."""

    def __init__(
        self,
        predictor_host: str | None,
        predictor_protocol: str = V1,
        predictor_use_ssl: bool = False,
        predictor_request_timeout_seconds: float = 600,
        predictor_request_retries: int = 0,
        predictor_health_check: bool = False,
    ) -> None:
        self.predictor_host = predictor_host
        self.predictor_protocol = self.protocol = str(
            getattr(predictor_protocol, "value", predictor_protocol)
        )
        self.predictor_use_ssl = self.use_ssl = predictor_use_ssl
        self.predictor_request_timeout_seconds = self.timeout = predictor_request_timeout_seconds
        self.predictor_request_retries = self.retries = predictor_request_retries
        self.predictor_health_check = predictor_health_check

    @property
    def predictor_base_url(self) -> str:
        return f"{'https' if self.use_ssl else 'http'}://{self.predictor_host}"


class Predictor:
    """For one event loop."""

    def __init__(self, config: PredictorConfig) -> None:
        self._config = config
        host = config.predictor_host or ""
        self._authority, slash, path = host.removeprefix("http://").removeprefix("https://").partition("/")
        self._base = f"/{path.rstrip('/')}" if slash and path.strip("/") else ""
        name, colon, port = self._authority.rpartition(":")
        self._host = name if colon and port.isdecimal() else self._authority
        self._port = int(port) if colon and port.isdecimal() else (443 if config.use_ssl else 80)
        self.target = f"{self._host}:{self._port}"
        """Of gRPC, which takes a name alone for one of https. Source: kserve 0.20 inference_client.py."""
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._channel: Any = None

    async def document(
        self, verb: str, model: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[bytes, dict[str, str]]:
        """V1. Raises RequestError with the predictor's status."""
        return await self._sent(
            f"/v1/models/{model}:{verb}", body, {"content-type": "application/json", **headers}
        )

    async def inference(
        self, model: str, body: bytes, head_length: int | None, headers: Mapping[str, str]
    ) -> tuple[bytes, dict[str, str]]:
        """V2 over HTTP. Raises RequestError."""
        own = {"content-type": "application/json"}
        if head_length is not None:
            own = {"content-type": v2.BINARY, v2.HEAD_LENGTH: str(head_length)}
        return await self._sent(f"/v2/models/{model}/infer", body, {**headers, **own})

    async def rpc(self, model: str, inference: v2.Inference, headers: Mapping[str, str]) -> Any:
        """V2 over gRPC: the outputs. Raises RequestError."""
        messages: Any = importlib.import_module(f"{_PACKAGE}.grpc_inference")
        asked = messages.request_of(model, inference)
        return messages.outputs_of(await self._called("ModelInfer", asked, headers, self._config.timeout))

    async def is_ready(self, model: str) -> bool:
        try:
            if self._config.protocol == GRPC:
                made: Any = importlib.import_module(f"{_PACKAGE}.grpc_messages").message
                asked = made("ModelReadyRequest")(name=model)
                return bool((await self._called("ModelReady", asked, {}, _READY_SECONDS)).ready)
            path = f"/v2/models/{model}/ready" if self._config.protocol == V2 else f"/v1/models/{model}"
            await self._sent(path, None, {}, _READY_SECONDS)
        except (RequestError, OSError):
            return False
        return True

    async def _called(self, method: str, asked: Any, headers: Mapping[str, str], seconds: float) -> Any:
        """A method of V2's gRPC. Raises RequestError."""
        grpc: Any = importlib.import_module("grpc")
        made: Any = importlib.import_module(f"{_PACKAGE}.grpc_messages").message
        if self._channel is None:
            aio: Any = importlib.import_module("grpc.aio")
            options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
            if self._config.use_ssl:
                self._channel = aio.secure_channel(self.target, grpc.ssl_channel_credentials(), options)
            else:
                self._channel = aio.insecure_channel(self.target, options)
        call = self._channel.unary_unary(
            f"/inference.GRPCInferenceService/{method}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=made(f"{method}Response").FromString,
        )
        try:
            return await call(asked, timeout=seconds, metadata=tuple(headers.items()))
        except grpc.RpcError as error:
            raise RequestError(_HTTP.get(error.code().name, 500), str(error.details())) from None

    async def close(self) -> None:
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()
        if self._channel is not None:
            await self._channel.close()

    async def _sent(
        self, path: str, body: bytes | None, headers: Mapping[str, str], seconds: float | None = None
    ) -> tuple[bytes, dict[str, str]]:
        tries = self._config.retries + 1
        while True:
            tries -= 1
            try:
                async with asyncio.timeout(self._config.timeout if seconds is None else seconds):
                    status, own, answer = await self._exchange(self._base + path, body, headers)
            except TimeoutError:
                raise RequestError(504, "the predictor did not answer in time") from None
            except (OSError, EOFError, ValueError) as problem:
                if tries > 0:
                    continue
                kind = type(problem).__name__
                raise RequestError(503, f"the predictor {self._authority} is not reached: {kind}") from None
            if status == 200:
                return answer, own
            raise RequestError(status, _said(answer))

    async def _exchange(
        self, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", f"host: {self._authority}"]
        lines += [
            f"{name}: {value}" for name, value in headers.items() if "\n" not in value and "\r" not in value
        ]
        lines.append(f"content-length: {len(body or b'')}")
        request = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")
        while True:
            is_fresh = not self._idle
            reader, writer = await self._connection()
            keep = False
            try:
                writer.write(request)
                await writer.drain()
                status, found, answer = await _answer(reader)
                keep = found.get("connection", "").lower() != "close"
                return status, found, answer
            except (ConnectionError, asyncio.IncompleteReadError) as problem:
                # The other end may have closed a connection that it had kept: then nothing was asked yet.
                begun = isinstance(problem, asyncio.IncompleteReadError) and problem.partial
                if is_fresh or begun:
                    raise
            finally:
                if keep and len(self._idle) < _MAX_IDLE:
                    self._idle.append((reader, writer))
                else:
                    writer.close()

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._idle:
            return self._idle.pop()
        context = ssl.create_default_context() if self._config.use_ssl else None
        return await asyncio.open_connection(self._host, self._port, ssl=context, limit=_HEAD_LIMIT)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").removesuffix("\r\n\r\n")
    first, *lines = head.split("\r\n")
    status = int(first.split(" ", 2)[1])
    if status == 100:
        return await _answer(reader)
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    if headers.get("transfer-encoding", "").lower() == "chunked":
        parts = []
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            parts.append(await reader.readexactly(size))
            await reader.readexactly(2)
        await reader.readuntil(b"\r\n")
        return status, headers, b"".join(parts)
    if "content-length" in headers:
        return status, headers, await reader.readexactly(int(headers["content-length"]))
    headers["connection"] = "close"
    return status, headers, await reader.read()


def _said(answer: bytes) -> str:
    try:
        document = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return answer[:1000].decode("utf-8", "replace")
    if isinstance(document, dict):
        return str(document.get("error") or document.get("detail") or document)
    return str(document)


_HTTP = {
    "INVALID_ARGUMENT": 400,
    "NOT_FOUND": 404,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
    "RESOURCE_EXHAUSTED": 429,
}
