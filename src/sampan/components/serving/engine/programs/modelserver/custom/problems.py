"""The errors that kserve's models raise, by kserve's names, and what each is to the caller.

Source: kserve 0.20 python/kserve/kserve/errors.py.
"""

from __future__ import annotations

from sampan.components.serving.engine.programs.modelserver.errors import RequestError


class InvalidInput(ValueError):  # noqa: N818  (kserve's name, as all here)
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InferenceError(RuntimeError):
    def __init__(self, reason: str, status: str | None = None, debug_details: object = None) -> None:
        super().__init__(reason if status is None else f"[{status}] {reason}")
        self.reason = reason
        self.status = status
        self.debug_details = debug_details


class ModelNotFound(Exception):  # noqa: N818
    def __init__(self, model_name: str | None = None) -> None:
        self.reason = f"Model with name {model_name} does not exist."
        super().__init__(self.reason)


class ModelNotReady(RuntimeError):  # noqa: N818
    def __init__(self, model_name: str, detail: str | None = None) -> None:
        self.model_name = model_name
        self.error_msg = f"Model with name {model_name} is not ready." + (f" {detail}" if detail else "")
        super().__init__(self.error_msg)


class ModelMissingError(Exception):
    def __init__(self, path: object) -> None:
        super().__init__(str(path))
        self.path = path


class UnsupportedProtocol(Exception):  # noqa: N818
    def __init__(self, protocol_version: object = None) -> None:
        self.reason = f"Unsupported protocol {protocol_version}."
        super().__init__(self.reason)


class ServerNotReady(RuntimeError):  # noqa: N818
    pass


class NoModelReady(RuntimeError):  # noqa: N818
    pass


_STATUSES = {
    "InvalidInput": 400,
    "ModelNotFound": 404,
    "ModelNotReady": 503,
    "ServerNotReady": 503,
    "UnsupportedProtocol": 501,
    "InferenceError": 500,
}


def converted(problem: BaseException) -> BaseException:
    """A model's error as the server understands it: by its name, for it may be the official package's class."""
    status = _STATUSES.get(type(problem).__name__)
    if status is not None:
        return RequestError(status, str(problem))
    detail, code = getattr(problem, "detail", None), getattr(problem, "status_code", None)
    if isinstance(code, int) and isinstance(detail, str):
        # FastAPI's and Starlette's HTTPException.
        return RequestError(code, detail)
    return problem
