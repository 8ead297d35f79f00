"""Google's credentials: an access token for a key file of a service account, or for a user's own login.

Source: developers.google.com/identity/protocols/oauth2/service-account; RFC 7523; RFC 8017 (RSASSA-PKCS1-v1_5).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sampan.components.serving.engine.programs.initializer.errors import StorageError, unauthorized
from sampan.components.serving.engine.programs.initializer.web import Answer, Ask, Web

_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
_TOKENS = "https://oauth2.googleapis.com/token"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# DigestInfo of SHA-256: RFC 8017, section 9.2, note 1.
_SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")
_SHORTEST_KEY = 256
"""Bytes of the modulus."""


def token(environ: Mapping[str, str], web: Web) -> str:
    """Empty where there are no credentials: what is asked for may be open to all. Raises StorageError."""
    named = environ.get(_VARIABLE)
    if not named:
        return ""
    try:
        found = json.loads(Path(named).read_text())
        kind = found.get("type")
    except OSError as error:
        raise unauthorized("GCS", f"{named}: {error.strerror}") from error
    except (ValueError, AttributeError):
        raise unauthorized("GCS", f"{named} holds no JSON object") from None
    if kind == "service_account":
        return _exchanged({"grant_type": _GRANT, "assertion": _assertion(found, named)}, found, web)
    if kind == "authorized_user":
        keys = ("client_id", "client_secret", "refresh_token")
        query = {key: str(found.get(key) or "") for key in keys}
        return _exchanged({"grant_type": "refresh_token", **query}, found, web)
    raise unauthorized("GCS", f"{named} is of the type {kind!r}; a service_account's key is needed")


def reason(answer: Answer) -> str:
    """What Google says of an error, in one line."""
    try:
        told = json.loads(answer.text(1 << 16))
        error = told.get("error")
        said = error.get("message") if isinstance(error, dict) else told.get("error_description") or error
    except (ValueError, AttributeError, StorageError):
        return ""
    return str(said or "").partition("\n")[0][:300]


def _exchanged(query: Mapping[str, str], found: Mapping[str, Any], web: Web) -> str:
    url = str(found.get("token_uri") or _TOKENS)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    with web.ask(Ask(url, "POST", headers, urlencode(query).encode(), follow=False)) as answer:
        if answer.status != 200:
            raise unauthorized("GCS", reason(answer) or f"{url} answered {answer.status}")
        try:
            return str(json.loads(answer.text())["access_token"])
        except (ValueError, KeyError, TypeError):
            raise unauthorized("GCS", f"{url} gave no token") from None


def _assertion(found: Mapping[str, Any], named: str) -> str:
    try:
        key = _private_key(str(found["private_key"]))
        claims = {
            "iss": str(found["client_email"]),
            "scope": _SCOPE,
            "aud": str(found.get("token_uri") or _TOKENS),
        }
    except (KeyError, ValueError, IndexError, binascii.Error):
        raise unauthorized("GCS", f"{named} holds no private key of a service account") from None
    now = int(time.time())
    header = {"alg": "RS256", "typ": "JWT", "kid": str(found.get("private_key_id") or "")}
    text = ".".join(
        _encoded(json.dumps(each).encode()) for each in (header, {**claims, "iat": now, "exp": now + 3600})
    )
    return f"{text}.{_encoded(key.sign(text.encode()))}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class _RsaKey:
    modulus: int
    exponent: int

    def sign(self, message: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256: RFC 8017, section 8.2.1."""
        length = (self.modulus.bit_length() + 7) // 8
        digest = _SHA256_PREFIX + hashlib.sha256(message).digest()
        padded = b"\0\1" + b"\xff" * (length - len(digest) - 3) + b"\0" + digest
        return pow(int.from_bytes(padded, "big"), self.exponent, self.modulus).to_bytes(length, "big")


def _private_key(pem: str) -> _RsaKey:
    """Of a PKCS #8 or PKCS #1 file. Raises ValueError, IndexError, binascii.Error."""
    lines = [line.strip() for line in pem.strip().splitlines() if not line.startswith("-----")]
    der = base64.b64decode("".join(lines), validate=True)
    fields = list(_sequence(der))
    if len(fields) == 3 or fields[1][0] == 0x30:
        # PKCS #8: version, algorithm, and an octet string that holds the key of PKCS #1.
        fields = list(_sequence(fields[2][1]))
    modulus, exponent = (int.from_bytes(fields[index][1], "big") for index in (1, 3))
    if (modulus.bit_length() + 7) // 8 < _SHORTEST_KEY:
        raise ValueError("the key is too short")
    return _RsaKey(modulus, exponent)


def _sequence(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tags and contents of a DER sequence: X.690, section 8.1."""
    tag, content, _ = _value(der, 0)
    if tag != 0x30:
        raise ValueError("not a sequence")
    offset = 0
    while offset < len(content):
        tag, inner, offset = _value(content, offset)
        yield tag, inner


def _value(der: bytes, offset: int) -> tuple[int, bytes, int]:
    tag, length = der[offset], der[offset + 1]
    offset += 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(der[offset : offset + count], "big")
        offset += count
    if offset + length > len(der):
        raise ValueError("cut off")
    return tag, der[offset : offset + length], offset + length
