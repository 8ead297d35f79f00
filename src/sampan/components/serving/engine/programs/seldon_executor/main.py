"""The executor as a program. Source: seldon-core 1.18.2 executor/cmd/executor/main.go.

Kafka, tracing and certificates of its own are not there, and it says so.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sampan.components.serving.engine.programs.seldon_executor.events import Sender
from sampan.components.serving.engine.programs.seldon_executor.graph import Predictor, read
from sampan.components.serving.engine.programs.seldon_executor.rest import Rest
from sampan.components.serving.engine.programs.wire.client import Pool
from sampan.components.serving.engine.programs.wire.running import Server, run, serve

_GRPC = "sampan.components.serving.engine.programs.seldon_executor.grpc_server"
_ANNOTATIONS = Path("/etc/podinfo/annotations")
_REST_TIMEOUT, _GRPC_TIMEOUT = "seldon.io/rest-timeout", "seldon.io/grpc-timeout"
_GRPC_SIZE = "seldon.io/grpc-max-message-size"
_PROTOCOLS = ("seldon", "tensorflow", "v2", "kfserving")


def parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="executor", description="Sends messages through a predictor's graph."
    )
    parser.add_argument("--sdep", default="", help="name of the SeldonDeployment")
    parser.add_argument("--namespace", default="default")
    parser.add_argument("--predictor", default="")
    parser.add_argument("--http_port", type=int, default=8080)
    parser.add_argument("--grpc_port", type=int, default=5001)
    parser.add_argument("--protocol", choices=_PROTOCOLS, default="seldon")
    parser.add_argument("--transport", choices=("rest", "grpc"), default="rest")
    parser.add_argument("--prometheus_path", default="/metrics")
    parser.add_argument("--server_type", choices=("rpc", "kafka"), default="rpc")
    parser.add_argument("--full_health_checks", default="false")
    parser.add_argument("--hostname", default="")
    # Those of the request logger's queue are taken, and say nothing here.
    return parser.parse_known_args([each for each in words if each])[0]


def annotations_of(text: str) -> dict[str, str]:
    """Of the pod, as the downward API writes them: `key="value"`, a line each."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {key.strip().strip('"'): value.strip().strip('"') for key, mark, value in pairs if mark}


def main(words: Sequence[str]) -> int:
    options = parse(words)
    if options.server_type == "kafka":
        print("the server type kafka needs Seldon's own executor: use rpc", file=sys.stderr, flush=True)
        return 1
    try:
        predictor = read(os.environ.get("ENGINE_PREDICTOR", ""))
    except ValueError as error:
        print(f"Failed to get predictor: {error}", file=sys.stderr, flush=True)
        return 1
    told = annotations_of(_ANNOTATIONS.read_text(encoding="utf-8")) if _ANNOTATIONS.is_file() else {}
    return run(lambda: _serve(predictor, options, told))


async def _serve(predictor: Predictor, options: argparse.Namespace, told: Mapping[str, str]) -> int:
    host = options.hostname or os.environ.get("POD_NAME") or "localhost"
    source = f"http://{host}:{options.http_port}/"
    sender = Sender(options.sdep, options.namespace, predictor.name, options.protocol, source)
    pool = Pool()
    rest = Rest(
        predictor,
        sender,
        pool,
        prometheus=options.prometheus_path,
        checks_health=options.full_health_checks.lower() == "true",
    )
    rest.limit(_seconds(told, _REST_TIMEOUT))
    grpc_server = await _started_grpc(predictor, sender, rest, options.grpc_port, told)

    async def end() -> None:
        if grpc_server is not None:
            await grpc_server.stop()
        await rest.events.close()
        await pool.close()

    return await serve(Server(rest.handle), options.http_port, before_end=end)


async def _started_grpc(
    predictor: Predictor, sender: Sender, rest: Rest, port: int, told: Mapping[str, str]
) -> Any:
    """None where the environment has no gRPC."""
    try:
        module: Any = await asyncio.to_thread(importlib.import_module, _GRPC)
    except ImportError as error:
        print(f"no gRPC: {error}", file=sys.stderr, flush=True)
        return None
    size = told.get(_GRPC_SIZE, "")
    limits = module.Limits(_seconds(told, _GRPC_TIMEOUT), int(size) if size.isdecimal() else 0)
    made = module.GrpcServer(predictor, sender, rest.events, rest.metrics, limits)
    await made.start(port)
    return made


def _seconds(told: Mapping[str, str], name: str) -> float:
    """Of an annotation in milliseconds; 0 for none."""
    text = told.get(name, "")
    return int(text) / 1000 if text.isdecimal() else 0.0
