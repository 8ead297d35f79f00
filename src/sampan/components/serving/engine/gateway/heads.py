"""What is passed on of a request's head and of an answer's, and what is not. Pure.

What belongs to one connection stays there (RFC 9110 section 7.6.1); so does what says who somebody is: whoever calls
could have written it. Values are passed on as they came, and the parser has let no line end through.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import msgspec

from sampan.web.interception import Head, Headers

_OF_THE_CONNECTION = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization"),
        *(b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect", b"http2-settings"),
    }
)
_SET_BY_US = frozenset(
    {
        b"content-length",
        *(b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port"),
        *(b"x-real-ip", b"x-request-id"),
    }
)
_IDENTITY = re.compile(
    rb"kubeflow-(userid|groups?)|x-forwarded-(user|email|groups|preferred-username|access-token)"
    rb"|x-remote-.*|x-auth-request-.*|impersonate-.*|x-goog-(authenticated-user-.*|iap-.*)|x-webauth-.*"
)
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_SANDBOX = b"sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads"
_NOT_OURS = frozenset(
    {
        *(b"set-cookie", b"content-security-policy", b"service-worker-allowed", b"clear-site-data"),
        *(b"strict-transport-security", b"alt-svc", b"nel", b"report-to", b"reporting-endpoints"),
    }
)
"""Of an answer on one of the server's own names: in a browser it may not act with our origin's rights."""
_SHARING = frozenset(
    {
        *(b"access-control-allow-origin", b"access-control-allow-credentials", b"access-control-max-age"),
        *(b"access-control-allow-methods", b"access-control-allow-headers", b"access-control-expose-headers"),
    }
)
"""Who else may read an answer is for an annotation to say, not for the pod."""
_OWN_NAME = (
    (b"content-security-policy", _SANDBOX),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_DROPPED = _OF_THE_CONNECTION | _SHARING | {b"content-length", b"x-request-id"}
_PHRASES = {each.value: each.phrase.encode() for each in HTTPStatus}


@dataclass(slots=True)
class Passed:
    """How a request is to be passed on. Nobody changes it; a frozen one takes three times as long to make."""

    target: bytes
    request_id: bytes
    headers: Mapping[bytes, bytes]
    """Set whatever the client said; names in lower case."""
    hides_token: bool = False
    """The header Authorization was meant for the platform."""
    by_path: bool = False


def request_id(head: Head, made: bytes) -> bytes:
    """The client's own, where it is one, or `made`."""
    own = head.get(b"x-request-id")
    return own if _REQUEST_ID.fullmatch(own) else made


def request_bytes(head: Head, passed: Passed) -> bytes:
    dropped = _named_in_connection(head.headers)
    if passed.headers:
        dropped |= passed.headers.keys()
    if passed.hides_token:
        dropped |= {b"authorization"}
    if passed.by_path:
        dropped |= {b"cookie"}
    lines = [b"%b %b HTTP/1.1" % (head.method, passed.target)]
    for key, value in head.headers:
        if is_passed_on(key) and key not in dropped:
            lines.append(key + b": " + value)
    for key, value in passed.headers.items():
        lines.append(b"%b: %b" % (key, value))
    lines.append(
        b"x-request-id: %b\r\nx-forwarded-for: %b\r\nx-forwarded-proto: %b\r\nx-forwarded-host: %b"
        % (passed.request_id, head.peer.encode(), b"https" if head.is_secure else b"http", head.get(b"host"))
    )
    if head.get(b"transfer-encoding"):
        lines.append(b"transfer-encoding: chunked")
    elif length := head.get(b"content-length").strip():
        lines.append(b"content-length: " + length)
    if head.upgrade:
        lines.append(b"connection: upgrade\r\nupgrade: " + head.upgrade)
    lines.append(b"\r\n")
    return b"\r\n".join(lines)


def answer_bytes(
    status: int,
    reason: bytes,
    headers: Headers,
    added: Iterable[tuple[bytes, bytes]],
    *,
    by_path: bool,
    framing: bytes,
) -> bytes:
    """`framing`: the header that tells where the body ends, whole, or nothing."""
    dropped = _named_in_connection(headers)
    lines = [b"HTTP/1.1 %d " % status, reason or _PHRASES.get(status, b""), b"\r\n"]
    for key, value in headers:
        if key in _DROPPED or key in dropped:
            continue
        if by_path and key in _NOT_OURS:
            continue
        lines += (key, b": ", value, b"\r\n")
    for key, value in added:
        lines += (key, b": ", value, b"\r\n")
    if by_path:
        for key, value in _OWN_NAME:
            lines += (key, b": ", value, b"\r\n")
    lines += (framing, b"\r\n")
    return b"".join(lines)


def switching_bytes(headers: Headers, upgrade: bytes) -> bytes:
    """101: from here on both sides speak `upgrade`."""
    dropped = _OF_THE_CONNECTION | _named_in_connection(headers) | {b"set-cookie", b"content-length"}
    lines = [b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ", upgrade, b"\r\n"]
    for key, value in headers:
        if key not in dropped:
            lines += (key, b": ", value, b"\r\n")
    lines.append(b"\r\n")
    return b"".join(lines)


def refusal_bytes(
    status: int, why: str, added: Iterable[tuple[bytes, bytes]], *, is_head: bool, keep: bool
) -> bytes:
    """As KServe's servers and TensorFlow Serving say what is wrong."""
    body = msgspec.json.encode({"error": why})
    lines = [b"HTTP/1.1 %d " % status, _PHRASES.get(status, b""), b"\r\ncontent-type: application/json\r\n"]
    for key, value in added:
        lines += (key, b": ", value, b"\r\n")
    if not keep:
        lines.append(b"connection: close\r\n")
    lines += (b"content-length: ", str(len(body)).encode(), b"\r\n\r\n")
    if not is_head:
        lines.append(body)
    return b"".join(lines)


def is_understood(head: Head) -> bool:
    """Whether the body's end is told in a way that everybody reads alike."""
    if not head.has(b"transfer-encoding"):
        return True
    codings = [value for key, value in head.headers if key == b"transfer-encoding"]
    return len(codings) == 1 and codings[0].strip().lower() == b"chunked"


def _named_in_connection(headers: Headers) -> frozenset[bytes]:
    for key, value in headers:
        if key == b"connection" and value.lower() not in (b"keep-alive", b"close", b"upgrade"):
            return frozenset(
                name.strip().lower()
                for key, value in headers
                if key == b"connection"
                for name in value.split(b",")
            ) - {b"host", b"content-length", b"content-type", b"content-encoding"}
    return frozenset()


def is_for_us_to_say(key: bytes) -> bool:
    """Who somebody is, where a request comes from, how it was asked for."""
    return key in _SET_BY_US or is_identity(key)


# The same few names come with every request.
@functools.lru_cache(maxsize=1024)
def is_passed_on(key: bytes) -> bool:
    """As it came, of a request."""
    return key not in _OF_THE_CONNECTION and not is_for_us_to_say(key)


@functools.lru_cache(maxsize=1024)
def is_identity(key: bytes) -> bool:
    """Servers that make variables of headers read `_` as `-`."""
    return _IDENTITY.fullmatch(key.replace(b"_", b"-")) is not None
