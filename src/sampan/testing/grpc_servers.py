"""gRPC servers that tests make themselves, and that end with them. `connections` beside it has plain connections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc


@asynccontextmanager
async def serving(*handlers: grpc.GenericRpcHandler, address: str = "127.0.0.1:0") -> AsyncIterator[int]:
    """A server with these handlers at an address; its port."""
    server = grpc.aio.server(handlers=list(handlers))
    port = server.add_insecure_port(address)
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)
