"""When a probe's answers count, and the health question of gRPC."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import pytest

from sampan.cluster.node import grpc_health, handlers
from sampan.cluster.node.handlers import HandlerError
from sampan.cluster.node.probes import LIVENESS, Outcome, Tally, killing, probes_of
from sampan.testing.connections import listening


def tally(success: int = 1, failure: int = 3) -> Tally:
    spec = {"livenessProbe": {"successThreshold": success, "failureThreshold": failure, "exec": {}}}
    return Tally(probes_of(spec)[LIVENESS])


def test_a_verdict_needs_its_threshold_of_equal_answers_in_a_row() -> None:
    count = tally(success=2, failure=3)
    answers = [True, True, False, False, True, False, False, False, True, True]
    verdicts = [None, True, None, None, None, None, None, False, None, True]
    assert [count.add(answer) for answer in answers] == verdicts


def test_the_defaults_are_the_api_s() -> None:
    probe = probes_of({"readinessProbe": {"tcpSocket": {"port": 1}}})["Readiness"]
    assert (probe.period, probe.timeout, probe.failure_threshold, probe.initial_delay) == (10, 1, 3, 0)
    assert probes_of({"name": "none"}) == {}


def test_the_words_say_whether_the_container_comes_back() -> None:
    assert (
        killing("main", "Startup", restarts=True) == "Container main failed startup probe, will be restarted"
    )
    assert killing("main", "Liveness", restarts=False) == "Container main failed liveness probe"


def test_a_port_is_a_number_or_a_name_of_the_container() -> None:
    spec = {"ports": [{"name": "web", "containerPort": 8080}]}
    assert handlers.port("web", spec) == 8080
    assert handlers.port(9, spec) == 9
    assert handlers.port("9", spec) == 9
    for wrong in ("api", 0, 70000, None, True):
        with pytest.raises(HandlerError):
            handlers.port(wrong, spec)


def frame(kind: int, flags: int, payload: bytes, stream: int = 1) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def message(*fields: int) -> bytes:
    return b"\0" + struct.pack(">I", len(fields)) + bytes(fields)


HUFFMAN_GRPC_STATUS = bytes.fromhex("408" + "89acac8b21234da8f")


@pytest.mark.parametrize(
    ("frames", "outcome", "text"),
    [
        (frame(0, 0, message(8, 1)) + frame(1, 5, b"\x88"), Outcome.SUCCESS, "service healthy"),
        (frame(0, 0, message(8, 2)) + frame(1, 5, b""), Outcome.FAILURE, '(responded with "NOT_SERVING")'),
        (frame(0, 1, message()), Outcome.FAILURE, '(responded with "UNKNOWN")'),
        (frame(1, 5, HUFFMAN_GRPC_STATUS + b"\x82\x08\xbf"), Outcome.FAILURE, "does not implement"),
        (frame(1, 5, b"\x40\x0bgrpc-status\x015"), Outcome.FAILURE, "NotFound"),
        (frame(7, 0, b"\0" * 8, 0), Outcome.FAILURE, "no health status"),
        (b"", Outcome.FAILURE, "closed the connection"),
    ],
)
def test_what_a_grpc_server_answers(frames: bytes, outcome: Outcome, text: str) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"db") if frames else b"")
        # Settings, a ping to be answered, then the answer proper.
        writer.write(frame(4, 0, b"", 0) + frame(6, 0, b"12345678", 0) + frames if frames else b"")

    async def main() -> Any:
        async with listening(serve) as there:
            return await grpc_health.check(there.host, there.port, "db", 60)

    answer = asyncio.run(main())
    assert answer.outcome is outcome
    assert text in answer.output
    if frames:
        assert b"/grpc.health.v1.Health/Check" in asked[0]
