"""One error family, and its two-way translation to the Kubernetes `Status` object.

    ApiError
    ├── BadRequestError              400 BadRequest
    ├── UnauthorizedError            401 Unauthorized
    ├── ForbiddenError               403 Forbidden
    ├── NotFoundError                404 NotFound
    ├── MethodNotAllowedError        405 MethodNotAllowed
    ├── NotAcceptableError           406 NotAcceptable
    ├── AlreadyExistsError           409 AlreadyExists
    ├── ConflictError                409 Conflict
    ├── ExpiredError                 410 Expired (Gone)
    ├── RequestTooLargeError         413 RequestEntityTooLarge
    ├── UnsupportedMediaTypeError    415 UnsupportedMediaType
    ├── InvalidError                 422 Invalid, with one cause a field
    ├── TooManyRequestsError         429 TooManyRequests
    ├── InternalError                500 InternalError
    ├── ServiceUnavailableError      503 ServiceUnavailable
    └── ServerTimeoutError           504 Timeout

Source: k8s.io/apimachinery/pkg/api/errors/errors.go and pkg/apis/meta/v1/types.go, v1.31.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing wrong with one field.

    `reason` is a Kubernetes CauseType such as FieldValueRequired, FieldValueInvalid, FieldValueNotSupported,
    FieldValueDuplicate, FieldValueForbidden; `field` a path such as `spec.containers[0].image`.
    """

    reason: str
    field: str
    message: str


class ApiError(Exception):
    """Any answer of the API that is not success. `message` is for people; the rest for programs."""

    code: ClassVar[int] = 500
    reason: ClassVar[str] = "InternalError"

    def __init__(
        self, message: str, *, details: Mapping[str, Any] | None = None, causes: Sequence[Cause] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = dict(details or {})
        self.causes = tuple(causes)
        self.warnings: tuple[str, ...] = ()
        """What the client is told beside."""


class BadRequestError(ApiError):
    code, reason = 400, "BadRequest"


class UnauthorizedError(ApiError):
    code, reason = 401, "Unauthorized"


class ForbiddenError(ApiError):
    code, reason = 403, "Forbidden"


class NotFoundError(ApiError):
    code, reason = 404, "NotFound"


class MethodNotAllowedError(ApiError):
    code, reason = 405, "MethodNotAllowed"


class NotAcceptableError(ApiError):
    code, reason = 406, "NotAcceptable"


class AlreadyExistsError(ApiError):
    code, reason = 409, "AlreadyExists"


class ConflictError(ApiError):
    code, reason = 409, "Conflict"


class ExpiredError(ApiError):
    code, reason = 410, "Expired"


class RequestTooLargeError(ApiError):
    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaTypeError(ApiError):
    code, reason = 415, "UnsupportedMediaType"


class InvalidError(ApiError):
    code, reason = 422, "Invalid"


class TooManyRequestsError(ApiError):
    code, reason = 429, "TooManyRequests"


class InternalError(ApiError):
    code, reason = 500, "InternalError"


class ServiceUnavailableError(ApiError):
    code, reason = 503, "ServiceUnavailable"


class ServerTimeoutError(ApiError):
    code, reason = 504, "Timeout"


_BY_REASON: dict[str, type[ApiError]] = {cls.reason: cls for cls in ApiError.__subclasses__()}
_BY_CODE: dict[int, type[ApiError]] = {
    cls.code: cls for cls in ApiError.__subclasses__() if cls is not AlreadyExistsError
}


def qualified(group: str, plural: str) -> str:
    """`pods`, or `jobs.batch` outside the core group: how messages name a resource."""
    return f"{plural}.{group}" if group else plural


def not_found(group: str, plural: str, name: str) -> NotFoundError:
    return NotFoundError(
        f'{qualified(group, plural)} "{name}" not found', details=_details(group, plural, name)
    )


def already_exists(group: str, plural: str, name: str) -> AlreadyExistsError:
    return AlreadyExistsError(
        f'{qualified(group, plural)} "{name}" already exists', details=_details(group, plural, name)
    )


def conflict(group: str, plural: str, name: str, why: str) -> ConflictError:
    return ConflictError(
        f'Operation cannot be fulfilled on {qualified(group, plural)} "{name}": {why}',
        details=_details(group, plural, name),
    )


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> InvalidError:
    """The 422 of a failed validation; one cause is written plainly, several as a list, as Kubernetes does."""
    parts = [f"{cause.field}: {cause.message}" for cause in causes]
    text = parts[0] if len(parts) == 1 else f"[{', '.join(parts)}]"
    where = f"{kind}.{group}" if group else kind
    return InvalidError(
        f'{where} "{name}" is invalid: {text}', details=_details(group, kind, name), causes=causes
    )


def _details(group: str, kind: str, name: str) -> dict[str, Any]:
    details: dict[str, Any] = {"name": name, "kind": kind}
    if group:
        details["group"] = group
    return details


def to_status(error: ApiError) -> dict[str, Any]:
    """The `Status` object that answers a request."""
    details = dict(error.details)
    if error.causes:
        details["causes"] = [
            {
                key: value
                for key, value in (("reason", c.reason), ("message", c.message), ("field", c.field))
                if value
            }
            for c in error.causes
        ]
    status: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": error.message,
        "reason": error.reason,
        "code": error.code,
    }
    if details:
        status["details"] = details
    return status


def from_status(status: Mapping[str, Any], *, code: int = 0) -> ApiError:
    """The error that a `Status` object means; `code` is the HTTP status where the body has none."""
    code = int(status.get("code") or code or 500)
    cls = _BY_REASON.get(str(status.get("reason", ""))) or _BY_CODE.get(code) or InternalError
    details = dict(status.get("details") or {})
    causes = [
        Cause(
            reason=str(c.get("reason", "")), field=str(c.get("field", "")), message=str(c.get("message", ""))
        )
        for c in details.pop("causes", None) or ()
    ]
    return cls(str(status.get("message") or f"HTTP {code}"), details=details, causes=causes)
