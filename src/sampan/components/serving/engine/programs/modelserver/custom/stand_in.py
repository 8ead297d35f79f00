"""The package `kserve`, as far as models need it, where the official one is not installed.

A model's file says `from kserve import Model`; it is to run either way. What only the official package has (its client
of the Kubernetes API, its FastAPI application) is missing, and Python says so by its name.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
from types import ModuleType
from typing import Any

from sampan.components.serving.engine.programs.modelserver import arguments, v2
from sampan.components.serving.engine.programs.modelserver.custom import inference, model, predictor, problems
from sampan.components.serving.engine.programs.modelserver.custom.payloads import (
    get_predict_input,
    get_predict_response,
)

_SERVER = "sampan.components.serving.engine.programs.modelserver.custom.server"


class Storage:
    @staticmethod
    def download(uri: str, out_dir: str | None = None) -> str:
        """The folder itself, which the pod has already. Raises RuntimeError for one that is elsewhere."""
        path = uri.removeprefix("file://")
        if os.path.exists(path):
            return path
        raise RuntimeError(
            f"{uri} is not here: give it as the InferenceService's storageUri, and load /mnt/models"
        )


def install() -> bool:
    """Whether the official package is there; if not, ours stands at its place from now on."""
    known = sys.modules.get("kserve")
    if known is not None:
        return not getattr(known, "__sampan__", False)
    if importlib.util.find_spec("kserve") is not None:
        return True
    server: Any = importlib.import_module(_SERVER)
    for name, values in _modules(server).items():
        made = ModuleType(name)
        made.__dict__.update(values)
        made.__dict__["__path__"] = []
        sys.modules[name] = made
        outer, _, own = name.rpartition(".")
        if outer in sys.modules and own not in sys.modules[outer].__dict__:
            setattr(sys.modules[outer], own, made)
    return False


def _modules(server: Any) -> dict[str, dict[str, Any]]:
    """Names of modules and what is in each, those above first."""
    types = {
        name: getattr(inference, name)
        for name in ("InferInput", "InferOutput", "InferRequest", "InferResponse", "RequestedOutput")
    }
    models = {
        name: getattr(model, name)
        for name in ("BaseKServeModel", "Model", "InferenceVerb", "PredictorProtocol")
    }
    models["PredictorConfig"] = predictor.PredictorConfig
    errors = {name: value for name, value in vars(problems).items() if isinstance(value, type)}
    logger = logging.getLogger("kserve")
    logs = {
        "logger": logger,
        "trace_logger": logger,
        "KSERVE_LOGGER_NAME": "kserve",
        "configure_logging": lambda *given, **named: logging.basicConfig(level=logging.INFO),
    }
    parts = {
        "get_predict_input": get_predict_input,
        "get_predict_response": get_predict_response,
        "generate_uuid": v2.new_id,
        "strtobool": arguments.is_true,
    }
    servers = {"ModelServer": server.ModelServer, "parser": server.parser, "args": server.args}
    return {
        "kserve": {
            **types,
            **models,
            "ModelServer": server.ModelServer,
            "Storage": Storage,
            "__sampan__": True,
        },
        "kserve.errors": errors,
        "kserve.model": models,
        "kserve.predictor_config": {"PredictorConfig": predictor.PredictorConfig},
        "kserve.model_server": servers,
        "kserve.logging": logs,
        "kserve.protocol": {},
        "kserve.protocol.infer_type": types,
        "kserve.constants": {},
        "kserve.constants.constants": {"PredictorProtocol": model.PredictorProtocol},
        "kserve.utils": {},
        "kserve.utils.utils": parts,
        "kserve.storage": {"Storage": Storage},
        "kserve_storage": {"Storage": Storage},
    }
