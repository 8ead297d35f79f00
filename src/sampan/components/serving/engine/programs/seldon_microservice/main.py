"""`seldon-core-microservice MODULE[.CLASS] [--service-type …]`: the class made, loaded and served.

Source: seldon-core 1.18.2 python/seldon_core/microservice.py. One process serves HTTP, gRPC and metrics; the class is
asked by as many threads as `--workers` and `--threads` say together, by default one at a time, as there.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sampan.components.serving.engine.programs.seldon_microservice import stand_in
from sampan.components.serving.engine.programs.seldon_microservice.component import (
    SeldonMicroserviceException,
)
from sampan.components.serving.engine.programs.seldon_microservice.methods import Methods
from sampan.components.serving.engine.programs.seldon_microservice.metrics import Metrics
from sampan.components.serving.engine.programs.seldon_microservice.rest import Rest
from sampan.components.serving.engine.programs.wire.running import Server, run, serve

_GRPC = "sampan.components.serving.engine.programs.seldon_microservice.grpc_service"
_TYPES = ("MODEL", "ROUTER", "TRANSFORMER", "COMBINER", "OUTPUT_TRANSFORMER", "OUTLIER_DETECTOR")
_READERS = {"INT": int, "FLOAT": float, "DOUBLE": float, "STRING": str}


def parse(words: Sequence[str], environ: Mapping[str, str]) -> argparse.Namespace:
    def number(name: str, otherwise: str) -> int:
        return int(environ.get(name) or otherwise)

    parser = argparse.ArgumentParser(prog="seldon-core-microservice")
    parser.add_argument("interface_name", nargs="?", default=environ.get("MODEL_NAME", ""))
    parser.add_argument("--service-type", choices=_TYPES, default=environ.get("SERVICE_TYPE") or "MODEL")
    parser.add_argument("--parameters", default=environ.get("PREDICTIVE_UNIT_PARAMETERS") or "[]")
    parser.add_argument("--workers", type=int, default=number("GUNICORN_WORKERS", "1"))
    parser.add_argument("--threads", type=int, default=number("GUNICORN_THREADS", "1"))
    http = environ.get("PREDICTIVE_UNIT_HTTP_SERVICE_PORT") or environ.get("PREDICTIVE_UNIT_SERVICE_PORT")
    parser.add_argument("--http-port", type=int, default=int(http or "9000"))
    grpc_port = number("PREDICTIVE_UNIT_GRPC_SERVICE_PORT", "5000")
    parser.add_argument("--grpc-port", type=int, default=grpc_port)
    metrics_port = number("PREDICTIVE_UNIT_METRICS_SERVICE_PORT", "6000")
    parser.add_argument("--metrics-port", type=int, default=metrics_port)
    # Others of upstream's are about servers that are not there.
    return parser.parse_known_args(list(words))[0]


def parameters(text: str) -> dict[str, Any]:
    """What the class is made with. Raises SeldonMicroserviceException."""
    found: dict[str, Any] = {}
    try:
        told = json.loads(text)
        pairs = [(str(each["name"]), str(each["value"]), str(each["type"])) for each in told]
    except (ValueError, TypeError, KeyError) as error:
        raise _bad(f"Bad model parameters: {text[:500]}") from error
    for name, value, kind in pairs:
        if kind == "BOOL":
            found[name] = value.lower() in ("y", "yes", "t", "true", "on", "1")
        elif kind in _READERS:
            try:
                found[name] = _READERS[kind](value)
            except ValueError as error:
                raise _bad(
                    f"Bad model parameter: {name} with value {value} can't be parsed as a {kind}"
                ) from error
        else:
            raise _bad(f"Bad model parameter type: {kind} valid are INT, FLOAT, DOUBLE, STRING, BOOL")
    return found


def class_of(interface: str) -> type:
    """MODULE.CLASS, or a module that has the name of its class. Raises ImportError, AttributeError."""
    module, dot, name = interface.rpartition(".")
    if not dot:
        module = name
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    found: type = getattr(importlib.import_module(module), name)
    return found


def main(words: Sequence[str]) -> int:
    options = parse(words, os.environ)
    if not options.interface_name:
        print("say which class to serve: seldon-core-microservice MODULE[.CLASS]", file=sys.stderr)
        return 2
    stand_in.install()
    try:
        model = class_of(options.interface_name)(**parameters(options.parameters))
        if callable(getattr(model, "load", None)):
            model.load()
    except Exception as error:
        traceback.print_exc()
        print(f"{options.interface_name} cannot be served: {error}", file=sys.stderr, flush=True)
        return 1
    # Before there is a loop: what is preloaded is forked without.
    return run(lambda: _serve(model, options))


async def _serve(model: Any, options: argparse.Namespace) -> int:
    methods = Methods(model, Metrics())
    threads = ThreadPoolExecutor(max(1, options.workers) * max(1, options.threads))
    rest = Rest(methods, threads)
    metrics = Server(rest.metrics)
    try:
        await metrics.listen(options.metrics_port)
    except OSError as error:
        print(f"no metrics: cannot listen at port {options.metrics_port}: {error}", file=sys.stderr)
    grpc_server = await _started_grpc(methods, rest, threads, options.grpc_port)

    async def end() -> None:
        await metrics.close()
        if grpc_server is not None:
            await grpc_server.stop(5)
        threads.shutdown(wait=False)

    return await serve(Server(rest.handle), options.http_port, before_end=end)


async def _started_grpc(methods: Methods, rest: Rest, threads: ThreadPoolExecutor, port: int) -> Any:
    """None where the environment has no gRPC."""
    try:
        service: Any = await asyncio.to_thread(importlib.import_module, _GRPC)
    except ImportError as error:
        print(f"no gRPC: {error}", file=sys.stderr, flush=True)
        return None
    made = service.server(methods, rest.metadata, threads)
    made.add_insecure_port(f"0.0.0.0:{port}")
    await made.start()
    return made


def _bad(message: str) -> SeldonMicroserviceException:
    return SeldonMicroserviceException(message, reason="MICROSERVICE_BAD_PARAMETER")
