"""What models of users' own import, with kserve's names: `from sampan_serving.modelserver.api import Model`."""

from sampan.components.serving.engine.programs.modelserver.custom.inference import (
    InferInput,
    InferOutput,
    InferRequest,
    InferResponse,
    RequestedOutput,
)
from sampan.components.serving.engine.programs.modelserver.custom.model import (
    InferenceVerb,
    Model,
    PredictorProtocol,
)
from sampan.components.serving.engine.programs.modelserver.custom.predictor import PredictorConfig
from sampan.components.serving.engine.programs.modelserver.custom.problems import (
    InferenceError,
    InvalidInput,
    ModelMissingError,
    ModelNotFound,
    ModelNotReady,
)
from sampan.components.serving.engine.programs.modelserver.custom.server import ModelServer

__all__ = [
    "InferInput",
    "InferOutput",
    "InferRequest",
    "InferResponse",
    "InferenceError",
    "InferenceVerb",
    "InvalidInput",
    "Model",
    "ModelMissingError",
    "ModelNotFound",
    "ModelNotReady",
    "ModelServer",
    "PredictorConfig",
    "PredictorProtocol",
    "RequestedOutput",
]
