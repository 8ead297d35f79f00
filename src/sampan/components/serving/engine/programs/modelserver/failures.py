"""What a failure is to whoever asked: its code, and the answer. Used by each protocol's routes."""

from __future__ import annotations

import sys
import traceback

import orjson

from sampan.components.serving.engine.programs.modelserver.batching import FullError
from sampan.components.serving.engine.programs.modelserver.contract import ModelError
from sampan.components.serving.engine.programs.modelserver.errors import NoRouteError, RequestError, told
from sampan.components.serving.engine.programs.modelserver.http.messages import Response, error


def status_of(problem: BaseException) -> int:
    if isinstance(problem, RequestError):
        return problem.status
    if isinstance(problem, ModelError):
        return 400
    if isinstance(problem, FullError):
        return 503
    if isinstance(problem, NotImplementedError):
        return 501
    # Of a model that raises an HTTPException of a framework's.
    status = getattr(problem, "status_code", 500)
    return status if isinstance(status, int) and 400 <= status < 600 else 500


def answer_of(problem: BaseException) -> Response:
    """What a failure is to the caller. What nobody foresaw goes to the log as well."""
    if isinstance(problem, (KeyboardInterrupt, SystemExit)):
        raise problem
    status = status_of(problem)
    if isinstance(problem, NoRouteError):
        # As FastAPI says it, under which kserve's server runs.
        return Response(status, orjson.dumps({"detail": problem.message}))
    if isinstance(problem, RequestError | ModelError):
        return error(status, str(problem))
    if isinstance(problem, FullError):
        return error(status, "too many requests wait for the model: try again later")
    if status >= 500 and status != 501:
        traceback.print_exception(problem, file=sys.stderr)
    return error(status, told(problem))
