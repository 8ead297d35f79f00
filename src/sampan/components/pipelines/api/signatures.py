"""Proofs that a request comes from who knows a secret: GitHub's signature, GitLab's token, a bearer's. Pure.

Sources: docs.github.com "Validating webhook deliveries"; docs.gitlab.com "Webhooks", secret token.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

SIGNATURE_HEADER = "x-hub-signature-256"
_PREFIX = "sha256="
_GITLAB = "x-gitlab-token"
_BEARER = "bearer "


def sign(secret: str, body: bytes) -> str:
    """The value of the signature's header."""
    return _PREFIX + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def proves(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Whether the sender knows `secret`. Names of `headers` are in lower case.

    Every proof that is there must be right, and there must be one: a wrong one beside a right one is somebody's trick.
    Takes as long for a wrong secret as for the right one.
    """
    given = [
        (headers.get(SIGNATURE_HEADER), sign(secret, body)),
        (headers.get(_GITLAB), secret),
        (_bearer(headers.get("authorization")), secret),
    ]
    proofs = [
        hmac.compare_digest(_digest(shown), _digest(expected))
        for shown, expected in given
        if shown is not None
    ]
    return bool(secret) and bool(proofs) and all(proofs)


def _bearer(authorization: str | None) -> str | None:
    if authorization is None or authorization[: len(_BEARER)].lower() != _BEARER:
        return None
    return authorization[len(_BEARER) :].strip()


def _digest(text: str) -> bytes:
    # Of equal length, whatever was sent.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
