"""The agent's account of gRPC, and its files of Parquet."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from sampan.components.serving.engine.programs.agent import parquet
from sampan.components.serving.engine.programs.agent.events import REQUEST, RESPONSE
from sampan.testing import grpc_servers
from sampan.testing.clients import interpreter_with

sys.path.insert(0, str(Path(__file__).parent))
from agent_kit import Sink, agent
from wire_kit import play, served, until


@asynccontextmanager
async def doubling() -> AsyncIterator[int]:
    """A server of gRPC; its port."""

    async def doubled(body: bytes, _context: Any) -> bytes:
        return body * 2

    method = grpc.unary_unary_rpc_method_handler(doubled)
    async with grpc_servers.serving(grpc.method_handlers_generic_handler("a.B", {"Double": method})) as port:
        yield port


@pytest.mark.parametrize(("mode", "kinds"), [("all", [REQUEST, RESPONSE]), ("response", [RESPONSE])])
def test_calls_of_grpc_are_told_as_their_bytes(mode: str, kinds: list[str]) -> None:
    async def main() -> None:
        sink = Sink()
        async with doubling() as port, served(sink) as where:
            options = ("--log-url", where, "--log-mode", mode)
            async with agent(f"http://127.0.0.1:{port}", *options) as url:
                async with grpc.aio.insecure_channel(url.removeprefix("http://")) as channel:
                    double = channel.unary_unary("/a.B/Double")
                    assert await double(b"text", timeout=60) == b"texttext"
                await until(lambda: len(sink.events) == len(kinds))
        assert sink.kinds() == kinds
        bodies = {each.get("ce-type"): each.body for each in sink.events}
        # As they are on the wire: five bytes before each message.
        wanted = {REQUEST: b"\0\0\0\0\4text", RESPONSE: b"\0\0\0\0\10texttext"}
        assert bodies == {kind: wanted[kind] for kind in kinds}
        assert len({each.get("ce-id") for each in sink.events}) == 1
        assert {each.get("content-type") for each in sink.events} == {"application/grpc"}

    play(main)


def test_a_file_of_parquet_is_the_same_as_ever() -> None:
    """As pyarrow 24 has read it: `{"a": ["x", "äb"], "t": [True, False]}`."""
    wanted = (
        "504152311500151815182c15041500150615060000010000007803000000c3a4621500150215022c1504150015061506000001"
        "1502193c48096c6f675265636f7264150400150c250018016125004c1c00000015002500180174001604191c192c26081c150c"
        "1915001918016115001604163a163a2608000026421c150019150019180174150016041624162426420000165e160400280673"
        "616d70616e006c00000050415231"
    )
    assert parquet.written({"a": ["x", "äb"], "t": [True, False]}).hex() == wanted


@pytest.mark.slow
def test_pyarrow_reads_files_of_parquet(tmp_path: Path) -> None:
    columns = {f"column{at}": [f"{at} ä" * row for row in range(40)] for at in range(20)}
    truths = [row % 3 == 0 for row in range(40)]
    (tmp_path / "file").write_bytes(parquet.written({**columns, "truths": truths}))
    read = "import json, sys, pyarrow.parquet as p; print(json.dumps(p.read_table(sys.argv[1]).to_pydict()))"
    command = [interpreter_with("pyarrow"), "-c", read, str(tmp_path / "file")]
    found = subprocess.run(command, check=True, capture_output=True, timeout=100)
    assert json.loads(found.stdout) == {**columns, "truths": truths}
