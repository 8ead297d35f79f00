"""A model of v2 that answers with four numbers whatever it gets, over HTTP and gRPC.

Stands at the place of `seldonio/mock-preprocessor`, in Seldon's tests of graphs, where MLServer's own class would run.
Source: seldon-core 1.18.2 testing/docker/mock-preprocessor.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
from typing import Any

from sampan.components.serving.engine.programs.wire.running import Server, run, serve
from sampan.components.serving.engine.programs.wire.server import Request, Response

_FLOWER = (0.1, 0.2, 0.3, 0.4)
_MESSAGES = "sampan.components.serving.engine.programs.modelserver.grpc_messages"
_MOST_BYTES = 64 * 1024 * 1024


async def handle(request: Request) -> Response:
    output = {"name": "input-0", "shape": [1, len(_FLOWER)], "datatype": "FP32", "data": list(_FLOWER)}
    if request.method == "POST" and request.path.endswith("/infer"):
        await request.read(_MOST_BYTES)
        told: dict[str, Any] = {"model_name": _name(), "outputs": [output]}
    elif request.method == "GET" and request.path.startswith("/v2/"):
        told = {"name": _name(), "platform": "", "inputs": [], "outputs": []}
    else:
        return Response(404)
    return Response(200, [("Content-Type", "application/json")], json.dumps(told).encode())


def grpc_server(grpc: Any, messages: Any) -> Any:
    """One that is not started. From the loop that is to run it."""

    def answers(name: str) -> Any:
        async def answer(_request: Any, _context: Any) -> Any:
            made = messages.message(f"{name}Response")()
            if name == "ModelInfer":
                made.model_name = _name()
                output = made.outputs.add(name="input-0", datatype="FP32", shape=[1, len(_FLOWER)])
                output.contents.fp32_contents.extend(_FLOWER)
            else:
                setattr(made, "live" if name == "ServerLive" else "ready", True)
            return made

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=messages.message(f"{name}Request").FromString,
            response_serializer=lambda made: made.SerializeToString(),
        )

    made = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    known = ("ModelInfer", "ModelReady", "ServerLive", "ServerReady")
    handlers = {name: answers(name) for name in known}
    made.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(messages.SERVICE, handlers),))
    return made


async def _serve() -> int:
    modules = [
        await asyncio.to_thread(importlib.import_module, each) for each in ("grpc.aio", "grpc", _MESSAGES)
    ]
    over_grpc = grpc_server(*modules[1:])
    over_grpc.add_insecure_port(f"0.0.0.0:{os.environ.get('MLSERVER_GRPC_PORT') or 8081}")
    await over_grpc.start()

    async def end() -> None:
        await over_grpc.stop(5)

    port = int(os.environ.get("MLSERVER_HTTP_PORT") or 8080)
    return await serve(Server(handle), port, before_end=end)


def _name() -> str:
    return os.environ.get("MLSERVER_MODEL_NAME", "mock-preprocessor")


if __name__ == "__main__":
    sys.exit(run(_serve))
