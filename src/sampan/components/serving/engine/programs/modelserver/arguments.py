"""The program's arguments: those of kserve's servers, and a few of ours.

What is not known is passed to the runtime by its name, so that a server's own (`--nthread`) reaches it.
Source: kserve 0.20 python/kserve/kserve/model_server.py, python/{sklearnserver,xgbserver,lgbserver}/*/__main__.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field

_TRUE, _FALSE = ("y", "yes", "t", "true", "on", "1"), ("n", "no", "f", "false", "off", "0")
_MAX_BODY_BYTES = 512 * 1024 * 1024
SEPARATOR = "\0"
"""Between an option's words where it has several: no word can hold it."""
_LISTS = ("lora_modules",)
PROTOCOLS = ("v1", "v2", "grpc-v2")


@dataclass(frozen=True, slots=True)
class Arguments:
    model_name: str = "model"
    model_dir: str = "/mnt/models"
    runtime: str = ""
    """A module of `runtimes`, or the path of a file with a function `load`."""
    model_class: str = ""
    """FILE.py:CLASS or MODULE:CLASS."""
    http_port: int = 8080
    other_http_ports: tuple[int, ...] = ()
    """Where a server that this one stands for listens as well."""
    grpc_port: int = 8081
    host: str = ""
    """To listen on; every address of the pod when empty."""
    workers: int = 1
    enable_grpc: bool = True
    grpc_message_bytes: int = 0
    """The longest that is taken; 0 for any."""
    max_body_bytes: int = _MAX_BODY_BYTES
    timeout_keep_alive: float = 65.0
    grace_seconds: float = 30.0
    predictor_host: str = ""
    predictor_protocol: str = "v1"
    predictor_use_ssl: bool = False
    predictor_timeout: float = 600.0
    predictor_retries: int = 0
    predictor_health_check: bool = False
    logs_requests: bool = True
    options: dict[str, str] = field(default_factory=dict)
    """What else there was, by name without the dashes."""


def parse(words: Sequence[str]) -> Arguments:
    """Ends the process with what is wrong."""
    found, rest = parser().parse_known_args(words)
    options = _rest(rest)
    for name in ("nthread", "nthreads"):
        if getattr(found, name) is not None:
            options[name] = str(getattr(found, name))
    return Arguments(
        model_name=found.model_name,
        model_dir=found.model_dir,
        runtime=found.runtime,
        model_class=found.model_class,
        http_port=found.http_port,
        other_http_ports=tuple(found.other_http_port),
        grpc_port=found.grpc_port,
        host=found.host,
        workers=max(1, found.workers),
        enable_grpc=found.enable_grpc,
        grpc_message_bytes=found.grpc_max_receive_message_length,
        max_body_bytes=found.max_body_bytes,
        timeout_keep_alive=found.timeout_keep_alive,
        grace_seconds=found.grace_period,
        predictor_host=found.predictor_host or "",
        predictor_protocol=found.predictor_protocol or found.protocol,
        predictor_use_ssl=found.predictor_use_ssl,
        predictor_timeout=found.predictor_request_timeout_seconds,
        predictor_retries=found.predictor_request_retries,
        predictor_health_check=found.enable_predictor_health_check,
        logs_requests=found.enable_latency_logging,
        options=options,
    )


def is_true(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def parser(*, add_help: bool = True) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        "modelserver", description="Serves models over V1, V2 and gRPC.", add_help=add_help
    )
    add = made.add_argument
    add("--model_name", "--model-name", default="model")
    add("--model_dir", "--model-dir", default="/mnt/models")
    add("--runtime", default="")
    add("--model_class", "--model-class", default="")
    add("--http_port", "--http-port", type=int, default=8080)
    add("--other_http_port", type=int, action="append", default=[])
    add("--grpc_port", "--grpc-port", type=int, default=8081)
    add("--host", default="")
    add("--workers", type=int, default=1)
    add("--enable_grpc", type=is_true, default=True)
    add("--grpc_max_receive_message_length", type=int, default=0)
    add("--max_body_bytes", type=int, default=_MAX_BODY_BYTES)
    add("--timeout-keep-alive", "--timeout_keep_alive", type=float, default=65.0)
    add("--grace_period", type=float, default=30.0)
    add("--nthread", type=int)
    add("--nthreads", type=int)
    add("--predictor_host", default="")
    add("--protocol", choices=PROTOCOLS, default="v1")
    add("--predictor_protocol", choices=PROTOCOLS, default="")
    add("--predictor_use_ssl", type=is_true, default=False)
    add("--predictor_request_timeout_seconds", type=float, default=600.0)
    add("--predictor_request_retries", type=int, default=0)
    add("--enable_predictor_health_check", action="store_true")
    add("--enable_latency_logging", type=is_true, default=True)
    # Upstream's that say nothing to this server: it draws no pages, needs no threads for gRPC.
    for name in ("--max_threads", "--max_asyncio_workers", "--log_config_file", "--access_log_format"):
        add(name, help=argparse.SUPPRESS)
    for name in ("--enable_docs_url", "--configure_logging"):
        add(name, type=is_true, help=argparse.SUPPRESS)
    add("--event-loop", choices=("auto", "asyncio", "uvloop"), help=argparse.SUPPRESS)
    add("--grpc_max_send_message_length", type=int, help=argparse.SUPPRESS)
    return made


def _rest(words: Sequence[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    name = ""
    for word in words:
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            name = name.replace("-", "_")
            options[name] = value if equals else "true"
            name = "" if equals and name not in _LISTS else name
        elif name in _LISTS:
            before = "" if options[name] == "true" else options[name] + SEPARATOR
            options[name] = before + word
        elif name:
            options[name] = word
            name = ""
    return options
