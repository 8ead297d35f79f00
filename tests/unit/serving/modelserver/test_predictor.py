"""Where a transformer finds its predictor."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from sampan.components.serving.engine.programs.modelserver.custom.predictor import Predictor, PredictorConfig
from sampan.components.serving.engine.programs.modelserver.grpc_messages import message
from sampan.testing import grpc_servers
from sampan.testing.connections import listening


@pytest.mark.parametrize(
    ("host", "use_ssl", "target"),
    [
        ("iris-predictor.team", False, "iris-predictor.team:80"),
        ("iris-predictor.team", True, "iris-predictor.team:443"),
        ("iris-predictor.team:8081", False, "iris-predictor.team:8081"),
        ("http://iris-predictor.team:9000/", False, "iris-predictor.team:9000"),
    ],
)
def test_the_target_of_grpc(host: str, use_ssl: bool, target: str) -> None:
    assert Predictor(PredictorConfig(host, "grpc-v2", use_ssl)).target == target


def test_the_headers_of_an_answer_are_those_that_were_sent() -> None:
    async def main() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nX-Own: 1\r\n\r\n{}")

        async with listening(answer) as there:
            predictor = Predictor(PredictorConfig(there.address))
            found = await predictor.document("predict", "m", b"", {})
            await predictor.close()
        assert found == (b"{}", {"content-length": "2", "x-own": "1"})

    asyncio.run(main())


def test_a_predictor_of_grpc_is_asked_by_grpc_whether_it_is_ready() -> None:
    async def main() -> list[bool]:
        async def ready(request: Any, _context: Any) -> Any:
            return message("ModelReadyResponse")(ready=request.name == "there")

        asked, told = message("ModelReadyRequest").FromString, lambda each: each.SerializeToString()
        methods = {"ModelReady": grpc.unary_unary_rpc_method_handler(ready, asked, told)}
        name = "inference.GRPCInferenceService"
        async with grpc_servers.serving(grpc.method_handlers_generic_handler(name, methods)) as port:
            predictor = Predictor(PredictorConfig(f"127.0.0.1:{port}", "grpc-v2"))
            found = [await predictor.is_ready(each) for each in ("there", "elsewhere")]
        found.append(await predictor.is_ready("there"))
        await predictor.close()
        return found

    assert asyncio.run(main()) == [True, False, False]
