"""Requests of S3 signed: AWS Signature Version 4, and where its keys come from.

Source: Amazon S3 API Reference, "Authenticating Requests (AWS Signature Version 4)"; AWS STS AssumeRoleWithWebIdentity.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from sampan.components.serving.engine.programs.initializer.errors import StorageError, unauthorized
from sampan.components.serving.engine.programs.initializer.web import Ask, Web

_EMPTY = hashlib.sha256(b"").hexdigest()
CONTENT = "x-amz-content-sha256"
_FIELD = "<{0}>([^<]*)</{0}>"


@dataclass(frozen=True, slots=True)
class Keys:
    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)


def keys_of(environ: Mapping[str, str], web: Web, region: str) -> Keys | None:
    """By the pod's variables: keys, or a token of its service account for a role. Raises StorageError.

    A machine's own metadata are never asked: they are the machine's, not the pod's.
    """
    access, secret = environ.get("AWS_ACCESS_KEY_ID", ""), environ.get("AWS_SECRET_ACCESS_KEY", "")
    if access and secret:
        return Keys(access, secret, environ.get("AWS_SESSION_TOKEN", ""))
    role, file = environ.get("AWS_ROLE_ARN", ""), environ.get("AWS_WEB_IDENTITY_TOKEN_FILE", "")
    return _assumed(role, file, environ, web, region) if role and file else None


def _assumed(role: str, file: str, environ: Mapping[str, str], web: Web, region: str) -> Keys:
    try:
        token = Path(file).read_text().strip()
    except OSError as error:
        raise StorageError(
            f"The token {file} of the service account cannot be read: {error.strerror}"
        ) from error
    query = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": role,
        "RoleSessionName": environ.get("AWS_ROLE_SESSION_NAME") or "sampan-storage-initializer",
        "WebIdentityToken": token,
    }
    url = environ.get("AWS_ENDPOINT_URL_STS") or f"https://sts.{region}.amazonaws.com/"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer, text = web.text(Ask(url, "POST", headers, urlencode(query).encode(), follow=False))
    found = [
        re.search(_FIELD.format(name), text) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")
    ]
    if answer.status != 200 or None in found:
        why = re.search(_FIELD.format("Message"), text)
        raise unauthorized("S3", f"the role {role} was refused: {why[1] if why else answer.status}")
    return Keys(*(each[1] for each in found if each is not None))


def signed(
    method: str,
    url: str,
    headers: Mapping[str, str],
    keys: Keys,
    region: str,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> dict[str, str]:
    """The headers with a signature. The URL is encoded already, its query sorted; of a body `headers` tell the digest
    (CONTENT)."""
    digest = headers.get(CONTENT, _EMPTY)
    parts = urlsplit(url)
    moment = now()
    stamp, day = moment.strftime("%Y%m%dT%H%M%SZ"), moment.strftime("%Y%m%d")
    all_headers = {**headers, "Host": parts.netloc, "x-amz-date": stamp, CONTENT: digest}
    if keys.token:
        all_headers["x-amz-security-token"] = keys.token
    names = sorted(name.lower() for name in all_headers)
    lowered = {name.lower(): " ".join(value.split()) for name, value in all_headers.items()}
    listed = ";".join(names)
    canonical = "\n".join(
        [
            method,
            parts.path or "/",
            parts.query,
            *(f"{name}:{lowered[name]}" for name in names),
            "",
            listed,
            digest,
        ]
    )
    scope = f"{day}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{keys.secret_key}".encode()
    for word in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, word.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    all_headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys.access_key}/{scope}, SignedHeaders={listed}, Signature={signature}"
    )
    return all_headers
