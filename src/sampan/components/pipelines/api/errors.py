"""Errors of the KFP API, as google.rpc statuses.

    PipelinesError
    ├── InvalidArgumentError     3  → HTTP 400
    ├── NotFoundError            5  → HTTP 404
    ├── AlreadyExistsError       6  → HTTP 409
    ├── PermissionDeniedError    7  → HTTP 403
    ├── ResourceExhaustedError   8  → HTTP 429
    ├── FailedPreconditionError  9  → HTTP 400
    ├── UnimplementedError      12  → HTTP 501
    ├── InternalError           13  → HTTP 500
    ├── UnavailableError        14  → HTTP 503
    └── UnauthenticatedError    16  → HTTP 401

Source: google/rpc/code.proto and grpc-gateway's HTTPStatusFromCode.
"""

from __future__ import annotations

from typing import Any, ClassVar


class PipelinesError(Exception):
    """`message` names the field or file and says what to do."""

    code: ClassVar[int] = 13
    http_status: ClassVar[int] = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def to_json(self) -> dict[str, Any]:
        """google.rpc.Status in proto JSON, with the fields grpc-gateway adds."""
        return {"error": self.message, "code": self.code, "message": self.message, "details": []}


class InvalidArgumentError(PipelinesError):
    code, http_status = 3, 400


class NotFoundError(PipelinesError):
    code, http_status = 5, 404


class AlreadyExistsError(PipelinesError):
    code, http_status = 6, 409


class PermissionDeniedError(PipelinesError):
    code, http_status = 7, 403


class ResourceExhaustedError(PipelinesError):
    code, http_status = 8, 429


class FailedPreconditionError(PipelinesError):
    code, http_status = 9, 400


class UnimplementedError(PipelinesError):
    code, http_status = 12, 501


class InternalError(PipelinesError):
    code, http_status = 13, 500


class UnavailableError(PipelinesError):
    code, http_status = 14, 503


class UnauthenticatedError(PipelinesError):
    code, http_status = 16, 401
