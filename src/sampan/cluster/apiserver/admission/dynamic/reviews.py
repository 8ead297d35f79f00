"""AdmissionReview: what a webhook is asked, and what its answer means. Pure.

Source: k8s.io/apiserver/pkg/admission/plugin/webhook/{request,errors}, v1.33.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.cluster.apiserver.admission.dynamic.expressions import request_of
from sampan.cluster.apiserver.admission.dynamic.subject import Objects, Subject
from sampan.cluster.apiserver.storage import decode
from sampan.kube.errors import ApiError, from_status
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

_GROUP = "admission.k8s.io"
_MAX_WARNINGS = 32
_WARNING_LIMIT = 4096


class ReviewError(Exception):
    """An answer that is none."""


@dataclass(frozen=True, slots=True)
class Verdict:
    allowed: bool
    patch: list[Any]
    warnings: tuple[str, ...]
    status: Mapping[str, Any]


def review(version: str, uid: str, subject: Subject, matched: Resource, objects: Objects) -> Object:
    """`matched` is the version in which the webhook wants to see the objects."""
    request = request_of(subject)
    if matched != subject.resource:
        request["resource"] = {
            "group": matched.group,
            "version": matched.version,
            "resource": matched.plural,
        }
        if not subject.kind[2]:
            request["kind"] = {"group": matched.group, "version": matched.version, "kind": matched.kind}
    request |= {"uid": uid, "object": objects.new, "oldObject": objects.old}
    return {"apiVersion": f"{_GROUP}/{version}", "kind": "AdmissionReview", "request": request}


def verdict(version: str, uid: str, raw: bytes, *, mutating: bool) -> Verdict:
    """Raises ReviewError."""
    try:
        answer = decode(raw)
    except ValueError as error:
        raise ReviewError(f"couldn't get version/kind; json parse error: {error}") from error
    if not isinstance(answer, dict):
        raise ReviewError("the answer is not an object")
    response = answer.get("response")
    if not isinstance(response, dict):
        raise ReviewError("webhook response was absent")
    if version == "v1":
        _check_v1(uid, answer, response, mutating=mutating)
    patch: list[Any] = []
    if mutating and response.get("patch"):
        kind = response.get("patchType")
        if version == "v1" and kind != "JSONPatch":
            raise ReviewError(f'unsupported patch type "{kind}"')
        patch = _patch(response["patch"])
    return Verdict(
        response.get("allowed") is True, patch, _warnings(response.get("warnings")), _status(response)
    )


def _status(response: Mapping[str, Any]) -> Mapping[str, Any]:
    status = response.get("status")
    return status if isinstance(status, dict) else {}


def _check_v1(uid: str, answer: Mapping[str, Any], response: Mapping[str, Any], *, mutating: bool) -> None:
    if response.get("uid") != uid:
        raise ReviewError(f'expected response.uid="{uid}", got "{response.get("uid") or ""}"')
    if (answer.get("apiVersion"), answer.get("kind")) != (f"{_GROUP}/v1", "AdmissionReview"):
        raise ReviewError(
            f"expected webhook response of {_GROUP}/v1, Kind=AdmissionReview, "
            f"got {answer.get('apiVersion') or ''}, Kind={answer.get('kind') or ''}"
        )
    patch, kind = response.get("patch"), response.get("patchType")
    if not mutating:
        if patch:
            raise ReviewError("validating webhook may not return response.patch")
        if kind is not None:
            raise ReviewError("validating webhook may not return response.patchType")
    elif patch and kind is None:
        raise ReviewError("webhook returned response.patch but not response.patchType")
    elif not patch and kind is not None:
        raise ReviewError("webhook returned response.patchType but not response.patch")
    elif kind == "":
        raise ReviewError('webhook returned invalid response.patchType of ""')


def _patch(text: Any) -> list[Any]:
    try:
        operations = decode(base64.b64decode(text, validate=True))
    except (binascii.Error, TypeError, ValueError) as error:
        raise ReviewError(f"received undecodable patch in webhook response: {error}") from error
    if not isinstance(operations, list):
        raise ReviewError("received undecodable patch in webhook response: it is not an array")
    return operations


def _warnings(raw: Any) -> tuple[str, ...]:
    if not isinstance(raw, list):
        return ()
    return tuple(str(each)[:_WARNING_LIMIT] for each in raw[:_MAX_WARNINGS] if each)


class RejectedError(ApiError):
    """A refusal with whatever code and reason the webhook has chosen."""

    def __init__(self, message: str, code: int, reason: str, details: Mapping[str, Any]) -> None:
        super().__init__(message, details=details)
        self.code = code  # type: ignore[misc]
        self.reason = reason  # type: ignore[misc]


def rejection(webhook: str, status: Mapping[str, Any]) -> ApiError:
    """As upstream's ToStatusErr: what it says is kept, but never a code that means success."""
    by = f'admission webhook "{webhook}" denied the request'
    message, reason = str(status.get("message") or ""), str(status.get("reason") or "")
    message = f"{by}: {message or reason}" if message or reason else f"{by} without explanation"
    code = status.get("code")
    code = code if isinstance(code, int) and not isinstance(code, bool) and code >= 400 else 400
    details = status.get("details")
    found = from_status({"message": message, "details": details if isinstance(details, dict) else {}})
    error = RejectedError(message, min(code, 599), reason, found.details)
    error.causes = found.causes
    return error
