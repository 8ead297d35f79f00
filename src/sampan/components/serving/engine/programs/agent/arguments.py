"""The agent's arguments, with upstream's names and defaults.

Source: kserve 0.20 cmd/agent/main.go. There a flag without `=` is true whatever word follows it; here `--flag false`
says what it seems to say.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

MODES = ("all", "request", "response")
FORMATS = ("json", "csv", "parquet")
OWN_MARSHALLER = "http://localhost:9083/marshal"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class BatcherOptions:
    size: int = 32
    """Instances."""
    latency_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class LoggerOptions:
    url: str
    mode: str = "all"
    source: str = ""
    workers: int = 5
    inference_service: str = ""
    namespace: str = ""
    endpoint: str = ""
    component: str = ""
    headers: frozenset[str] = frozenset()
    """In lower case: those whose values events tell."""
    annotations: tuple[tuple[str, str], ...] = ()
    ca_cert_file: str = "service-ca.crt"
    skips_tls_verification: bool = False
    store_path: str = ""
    store_format: str = "json"
    marshaller_url: str = OWN_MARSHALLER
    batch_size: int = 1
    batch_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class PullerOptions:
    config_folder: str
    model_folder: str


@dataclass(frozen=True, slots=True)
class Options:
    port: int
    component_port: int
    batcher: BatcherOptions | None
    logger: LoggerOptions | None
    puller: PullerOptions | None


def read(argv: Sequence[str]) -> Options:
    """Ends the program with what is wrong, as argparse does."""
    parser = _parser()
    told = parser.parse_args(argv)
    batcher = logger = puller = None
    if told.enable_batcher:
        for name, value in (("batch size", told.max_batchsize), ("latency", told.max_latency)):
            if value <= 0:
                parser.error(f"invalid max {name}: it must be 1 or more, not {value}")
        batcher = BatcherOptions(told.max_batchsize, told.max_latency / 1000)
    if told.log_url:
        logger = _logger(told, parser)
    if told.enable_puller:
        puller = PullerOptions(told.config_dir, told.model_dir)
    return Options(told.port, told.component_port, batcher, logger, puller)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agent", allow_abbrev=False)
    add = parser.add_argument
    add("--port", type=int, default=9081)
    add("--component-port", type=int, default=8080)
    for name in ("--enable-puller", "--enable-batcher", "--logger-tls-skip-verify"):
        add(name, nargs="?", const=True, default=False, type=_truth)
    add("--config-dir", default="/mnt/configs")
    add("--model-dir", default="/mnt/models")
    add("--log-url", default="")
    add("--workers", type=int, default=5)
    add("--source-uri", default="")
    add("--log-mode", default="all")
    add("--log-store-path", default="")
    add("--log-store-format", default="json")
    add("--log-marshaller-url", default=OWN_MARSHALLER)
    add("--log-marshaller-port", type=int, default=9083)
    add("--log-batch-size", type=int, default=1)
    add("--log-batch-interval", type=_seconds, default=0.0)
    for name in ("--inference-service", "--namespace", "--endpoint", "--component"):
        add(name, default="")
    for name in ("--metadata-headers", "--metadata-annotations"):
        add(name, type=_words, action="extend", default=[])
    add("--max-batchsize", type=int, default=32)
    add("--max-latency", type=int, default=5000)
    add("--probe-period", type=_seconds, default=-1.0)
    add("--logger-ca-cert-file", default="service-ca.crt")
    return parser


def _logger(told: argparse.Namespace, parser: argparse.ArgumentParser) -> LoggerOptions:
    mode = told.log_mode or MODES[0]
    if mode not in MODES:
        parser.error(f"malformed log-mode {mode}: it is one of {', '.join(MODES)}")
    annotations = []
    for pair in told.metadata_annotations:
        name, equals, value = pair.partition("=")
        if not equals:
            parser.error(f"annotation {pair!r} does not adhere to the format NAME=VALUE")
        annotations.append((name, value))
    return LoggerOptions(
        url=told.log_url,
        mode=mode,
        source=told.source_uri or f"http://localhost:{told.port}/",
        workers=max(told.workers, 1),
        inference_service=told.inference_service,
        namespace=told.namespace,
        endpoint=told.endpoint,
        component=told.component,
        headers=frozenset(name.strip().lower() for name in told.metadata_headers),
        annotations=tuple(annotations),
        ca_cert_file=told.logger_ca_cert_file,
        skips_tls_verification=told.logger_tls_skip_verify,
        store_path=told.log_store_path,
        store_format=told.log_store_format if told.log_store_format in FORMATS else FORMATS[0],
        marshaller_url=told.log_marshaller_url or OWN_MARSHALLER,
        batch_size=told.log_batch_size,
        batch_seconds=told.log_batch_interval,
    )


def _truth(word: str) -> bool:
    if word.lower() in ("1", "t", "true"):
        return True
    if word.lower() in ("0", "f", "false"):
        return False
    raise argparse.ArgumentTypeError(f"it is true or false, not {word!r}")


def _seconds(text: str) -> float:
    """Of a duration as Go writes it, such as 1m30s."""
    sign, rest = (-1.0, text[1:]) if text.startswith("-") else (1.0, text)
    if rest in ("0", ""):
        return 0.0
    parts = _DURATION.findall(rest)
    if not parts or "".join(number + unit for number, unit in parts) != rest:
        if rest.isdecimal():
            # What Go refuses; it can mean nothing else.
            return sign * float(rest)
        raise argparse.ArgumentTypeError(f"it is a duration such as 5s or 100ms, not {text!r}")
    return sign * sum(float(number) * _UNITS[unit] for number, unit in parts)


def _words(text: str) -> list[str]:
    """As a line of a CSV file, in which a word with a comma is quoted."""
    return [word for line in csv.reader([text]) for word in line if word]
