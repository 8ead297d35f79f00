"""Where a transformer finds its predictor."""

from __future__ import annotations

import asyncio

import pytest

from sampan.components.serving.engine.programs.modelserver.custom.predictor import Predictor, PredictorConfig


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
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        predictor = Predictor(PredictorConfig(f"127.0.0.1:{port}"))
        found = await predictor.document("predict", "m", b"", {})
        await predictor.close()
        server.close()
        assert found == (b"{}", {"content-length": "2", "x-own": "1"})

    asyncio.run(main())
