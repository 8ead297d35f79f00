"""What TensorFlow Serving answers when it cannot: a canonical code, which is a status of HTTP's and of gRPC's. Pure.

Source: tensorflow/serving 2.19 tensorflow_serving/model_servers/http_server.cc (the codes' statuses).
"""

from __future__ import annotations

from sampan.components.serving.engine.programs.modelserver.batching import FullError
from sampan.components.serving.engine.programs.modelserver.contract import ModelError
from sampan.components.serving.engine.programs.modelserver.errors import RequestError, told

_STATUSES = {
    "INVALID_ARGUMENT": 400,
    "NOT_FOUND": 404,
    "FAILED_PRECONDITION": 400,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "UNKNOWN": 500,
    "INTERNAL": 500,
}


class StatusError(RequestError):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(_STATUSES[code], message)
        self.code = code


def invalid(message: str) -> StatusError:
    return StatusError("INVALID_ARGUMENT", message)


def code_of(problem: BaseException) -> tuple[str, str]:
    """Of whatever went wrong, with the words for the caller."""
    if isinstance(problem, StatusError):
        return problem.code, problem.message
    if isinstance(problem, ModelError):
        return "INVALID_ARGUMENT", str(problem)
    if isinstance(problem, FullError):
        return "UNAVAILABLE", "too many requests wait for the model: try again later"
    if isinstance(problem, RequestError):
        return ("UNAVAILABLE" if problem.status == 503 else "INVALID_ARGUMENT"), problem.message
    return "INTERNAL", told(problem)
