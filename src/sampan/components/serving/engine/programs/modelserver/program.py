"""From the command line to the processes that serve. Called by `__main__`, and by `api.ModelServer`."""

from __future__ import annotations

import importlib
import os
import resource
import sys
from collections.abc import Sequence
from typing import Any

from sampan.components.serving.engine.programs.modelserver import (
    adapters,
    arguments,
    loaders,
    serving,
    workers,
)
from sampan.components.serving.engine.programs.modelserver.arguments import Arguments
from sampan.components.serving.engine.programs.modelserver.contract import LoadError
from sampan.components.serving.engine.programs.modelserver.repository import Repository

_CUSTOM = "sampan.components.serving.engine.programs.modelserver.custom.adapter"
_VLLM = "sampan.components.serving.engine.programs.modelserver.vllm.start"
_TENSORFLOW_SERVING = "sampan.components.serving.engine.programs.modelserver.tfserving.start"
EXIT_NOT_LOADED = 1
_FILES = 16_384


def main(words: Sequence[str]) -> int:
    given = arguments.parse(words)
    return start(given, lambda: prepare(given))


def start(given: Arguments, prepare: serving.Prepare) -> int:
    """Serves until a signal ends it; the exit code."""
    _allow_connections()
    listeners = []
    for port in (given.http_port, *given.other_http_ports):
        try:
            listeners.append(serving.bind(given.host, port))
        except OSError as error:
            print(f"port {port} cannot be listened on: {error.strerror}", file=sys.stderr, flush=True)
            return EXIT_NOT_LOADED
    if given.workers > 1:
        return workers.run(given, listeners, prepare)
    try:
        repository = prepare()
    except LoadError as error:
        print(f"model {given.model_name} could not be loaded: {error}", file=sys.stderr, flush=True)
        return EXIT_NOT_LOADED
    serving.run(given, listeners, repository)
    return 0


def _allow_connections() -> None:
    """Each is a file; the usual 1024 are fewer than a gateway may open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def prepare(given: Arguments) -> Repository:
    """The models that the arguments name. Raises LoadError."""
    if given.model_class:
        # Loaded only where it is wanted.
        custom: Any = importlib.import_module(_CUSTOM)
        made: Repository = custom.repository(given)
        return made
    if given.options.get("tensorflow_serving"):
        # Another server's API, which needs what not every environment has.
        tensorflow: Any = importlib.import_module(_TENSORFLOW_SERVING)
        versioned: Repository = tensorflow.repository(given)
        return versioned
    if given.options.get("vllm"):
        language: Any = importlib.import_module(_VLLM)
        written: Repository = language.repository(given)
        return written
    if not given.runtime:
        raise LoadError("neither --runtime nor --model_class says what serves the model")
    asked = {"predictor_host": given.predictor_host, "predictor_protocol": given.predictor_protocol}
    asked["predictor_use_ssl"] = str(given.predictor_use_ssl)
    # For runtimes that explain what another server predicts.
    options = {**os.environ, **given.options, **asked}
    repository = Repository(loaders.runtime(given.runtime), given.model_dir, options)
    repository.load_first(given.model_name)
    if told := given.options.get("lora_modules"):
        served = repository.find(given.model_name)
        adapters.add(repository, served.model if served is not None else None, told)
    return repository
