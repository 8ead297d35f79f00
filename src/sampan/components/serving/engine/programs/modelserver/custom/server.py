"""`ModelServer().start([model])`, for a model's own program.

Source: kserve 0.20 python/kserve/kserve/model_server.py.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import Any

from sampan.components.serving.engine.programs.modelserver import arguments, program
from sampan.components.serving.engine.programs.modelserver.custom import adapter
from sampan.components.serving.engine.programs.modelserver.custom.model import Model

parser = arguments.parser(add_help=False)
args, _ = parser.parse_known_args()


class ModelServer:
    """What is not given is taken from the program's arguments."""

    def __init__(
        self,
        http_port: int | None = None,
        grpc_port: int | None = None,
        workers: int | None = None,
        enable_grpc: bool | None = None,
        grace_period: float | None = None,
        **more: Any,
    ) -> None:
        told: dict[str, Any] = {
            "http_port": http_port,
            "grpc_port": grpc_port,
            "workers": workers,
            "enable_grpc": enable_grpc,
            "grace_seconds": grace_period,
        }
        given = arguments.parse(sys.argv[1:])
        self._given = dataclasses.replace(given, **{k: v for k, v in told.items() if v is not None})
        Model.default_predictor = more.get("predictor_config") or adapter.predictor_config(self._given)
        self._models: list[Any] = []

    def register_model(self, model: Any, name: str | None = None) -> None:
        self._models.append(model)

    def start(self, models: Sequence[Any]) -> None:
        """Until a signal ends it."""
        for model in models:
            if not getattr(model, "ready", True) and callable(getattr(model, "start", None)):
                model.start()
        code = program.start(self._given, lambda: adapter.of_models([*self._models, *models]))
        if code:
            sys.exit(code)
