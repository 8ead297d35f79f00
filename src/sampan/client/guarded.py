"""HTTP to a URL that a user gave, without letting it reach what the user could not.

The address is resolved once, checked, and connected to as checked, so that a name cannot resolve to something
else in between; every redirect is checked the same way. Proxies are not used: they would resolve the name again.
Whoever calls bounds what is read. Blocks: called in a thread.

Source of the rules: kubeflow/pipelines 2.17, backend/src/apiserver/validation/pipeline_url.go.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urljoin

from sampan.client.addresses import checked_url, is_public, is_reserved

_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class RefusedUrlError(Exception):
    """The URL may not be fetched, or cannot be. The message is for people."""


class UnreachableUrlError(Exception):
    """Nobody answers, or not properly."""


@dataclass(frozen=True, slots=True)
class UrlRules:
    what: str
    """What the URL is, at the beginning of messages."""
    allow_private: bool = False
    """Whether loopback and private addresses may be reached; link-local ones never are."""
    remedy: str = ""
    """What to do about a private address, at the end of a message."""
    timeout_seconds: float = 30.0
    headers: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def opened(url: str, rules: UrlRules) -> Iterator[http.client.HTTPResponse]:
    """The answer 200 at `url`, its body unread. Raises RefusedUrlError, UnreachableUrlError."""
    for _ in range(_MAX_REDIRECTS + 1):
        parts = _checked_url(url, rules)
        connection = _connection(parts, _checked_address(parts, rules), rules.timeout_seconds)
        try:
            headers = {"Host": parts.netloc, "Accept": "*/*", **rules.headers}
            connection.request("GET", _target(parts), headers=headers)
            with connection.getresponse() as response:
                location = response.getheader("Location")
                if response.status in _REDIRECTS and location:
                    url = urljoin(url, location)
                    continue
                if response.status != 200:
                    raise RefusedUrlError(
                        f"{rules.what}: {url!r} answered {response.status} {response.reason}"
                    )
                yield response
                return
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableUrlError(
                f"{rules.what}: {parts.hostname!r} could not be fetched from: {error}"
            ) from error
        finally:
            connection.close()
    raise RefusedUrlError(f"{rules.what}: {url!r} redirects more than {_MAX_REDIRECTS} times")


def connection(url: str, rules: UrlRules) -> tuple[http.client.HTTPConnection, str]:
    """A connection to the host of `url`, to an address that may be asked, and what to ask it for.

    Raises RefusedUrlError.
    """
    parts = _checked_url(url, rules)
    return _connection(parts, _checked_address(parts, rules), rules.timeout_seconds), _target(parts)


def _checked_url(url: str, rules: UrlRules) -> SplitResult:
    try:
        return checked_url(url)
    except ValueError as error:
        raise RefusedUrlError(f"{rules.what}: {url!r} {error}") from error


def _checked_address(parts: SplitResult, rules: UrlRules) -> str:
    """The address to connect to. Every address of the name must be allowed, not only the first."""
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnknownHostError(f"{rules.what}: the host {host!r} is not known: {error}") from error
    addresses = [str(entry[4][0]).split("%")[0] for entry in found]
    if any(is_reserved(ipaddress.ip_address(a)) for a in addresses):
        raise RefusedUrlError(f"{rules.what}: {host!r} is an address that is never asked")
    if not rules.allow_private and not all(is_public(ipaddress.ip_address(a)) for a in addresses):
        raise RefusedUrlError(f"{rules.what}: {host!r} is a private or loopback address; {rules.remedy}")
    return addresses[0]


class UnknownHostError(RefusedUrlError, UnreachableUrlError):
    """A name that does not resolve: a wrong one, or no network."""


def _connection(parts: SplitResult, address: str, timeout: float) -> http.client.HTTPConnection:
    if parts.scheme == "https":
        return _PinnedHTTPSConnection(parts, address, timeout)
    return http.client.HTTPConnection(address, parts.port or 80, timeout=timeout)


class _PinnedHTTPSConnection(http.client.HTTPSConnection):
    """Connects to an address, and expects the certificate of the name."""

    def __init__(self, parts: SplitResult, address: str, timeout: float) -> None:
        self._context_of_name = ssl.create_default_context()
        super().__init__(
            parts.hostname or "", parts.port or 443, timeout=timeout, context=self._context_of_name
        )
        self._address = address

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), self.timeout)
        self.sock = self._context_of_name.wrap_socket(plain, server_hostname=self.host)


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
