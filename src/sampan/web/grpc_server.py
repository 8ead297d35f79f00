"""A gRPC server with limits, and what its methods are made of: errors as statuses, a word on messages that are none.

Imports the library, so it is loaded by name with the first connection. No service lives here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from sampan.kube.errors import (
    AlreadyExistsError,
    ApiError,
    BadRequestError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    RequestTooLargeError,
    UnauthorizedError,
)
from sampan.lib.log import get_logger

log = get_logger(__name__)

MOST_BYTES = 32 * 1024 * 1024
"""Of one message, in and out."""
_MOST_AT_ONCE = 1024
"""More are refused, and most clients do not ask again."""
_MOST_WORDS = 2000
_OPTIONS = (
    ("grpc.max_receive_message_length", MOST_BYTES),
    ("grpc.max_send_message_length", MOST_BYTES),
    ("grpc.max_concurrent_streams", 128),
    ("grpc.max_metadata_size", 32 * 1024),
    ("grpc.server_handshake_timeout_ms", 20_000),
    ("grpc.so_reuseport", 0),
    # Clients connect again without a word.
    ("grpc.max_connection_idle_ms", 600_000),
)
_CODES: tuple[tuple[type[ApiError], grpc.StatusCode], ...] = (
    (UnauthorizedError, grpc.StatusCode.UNAUTHENTICATED),
    (ForbiddenError, grpc.StatusCode.PERMISSION_DENIED),
    (NotFoundError, grpc.StatusCode.NOT_FOUND),
    (AlreadyExistsError, grpc.StatusCode.ALREADY_EXISTS),
    (ConflictError, grpc.StatusCode.ABORTED),
    (InvalidError, grpc.StatusCode.INVALID_ARGUMENT),
    (BadRequestError, grpc.StatusCode.INVALID_ARGUMENT),
    (RequestTooLargeError, grpc.StatusCode.RESOURCE_EXHAUSTED),
)

Context = grpc.aio.ServicerContext[Any, Any]
Method = Callable[[Any, Context], Awaitable[Any]]
"""Takes a message and answers one. Raises ApiError, `ValueError` for arguments that are bad."""


class Call:
    """Who calls, as far as the connection and its metadata say."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def address(self) -> str:
        """The peer's, of IPv4 or IPv6, without its port; empty where it has none."""
        family, _, rest = self._context.peer().partition(":")
        if family == "ipv4":
            return rest.rpartition(":")[0]
        return rest.rpartition(":")[0].replace("%5B", "").replace("%5D", "") if family == "ipv6" else ""

    @property
    def authorization(self) -> str:
        """Its metadata of that name; empty where there is none."""
        for key, value in self._context.invocation_metadata() or ():
            if key == "authorization":
                return value if isinstance(value, str) else value.decode("latin-1")
        return ""


async def serving(handlers: Sequence[grpc.GenericRpcHandler], host: str) -> tuple[Any, int]:
    """A server that has started, and its port. The caller stops it."""
    server = grpc.aio.server(handlers=list(handlers), options=_OPTIONS, maximum_concurrent_rpcs=_MOST_AT_ONCE)
    port = server.add_insecure_port(f"{host}:0")
    await server.start()
    return server, port


def service(name: str, methods: Mapping[str, tuple[type[Any], Method]]) -> grpc.GenericRpcHandler:
    """Of unary methods: by its name the message that each takes, and what answers."""
    made: dict[str, Any] = {
        method: grpc.unary_unary_rpc_method_handler(
            _answering(f"{name}/{method}", request, answer),
            # Read by ourselves: the library calls what it cannot read an internal error.
            request_deserializer=None,
            response_serializer=lambda each: each.SerializeToString(),
        )
        for method, (request, answer) in methods.items()
    }
    return grpc.method_handlers_generic_handler(name, made)


def _answering(path: str, request: type[Any], answer: Method) -> Callable[[bytes, Context], Awaitable[Any]]:
    async def answered(data: bytes, context: Context) -> Any:
        try:
            return await answer(request.FromString(data), context)
        except DecodeError:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"this is no {request.__name__}")
        except ApiError as error:
            code = next(
                (code for kind, code in _CODES if isinstance(error, kind)), grpc.StatusCode.UNAVAILABLE
            )
            await context.abort(code, error.message[:_MOST_WORDS])
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error)[:_MOST_WORDS])
        except grpc.RpcError:
            raise
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            log.error("a gRPC request failed", method=path, exc=error)
            await context.abort(
                grpc.StatusCode.INTERNAL, "the server failed at this request; its log says why"
            )
        raise AssertionError("abort() raises")

    return answered
