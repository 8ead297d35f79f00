"""Fetches a URL that a user gave, without letting it reach what the user could not.

The address is resolved once, checked, and connected to as checked, so that a name cannot resolve to something
else in between; every redirect is checked the same way; the size and the time are bounded. Proxies are not
used: they would resolve the name again. Blocks: called in a thread.

Source of the rules: kubeflow/pipelines 2.17, backend/src/apiserver/validation/pipeline_url.go.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin

from sampan.client.addresses import checked_url, is_public, is_reserved
from sampan.components.pipelines.api.errors import InvalidArgumentError, UnavailableError

_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TIMEOUT_SECONDS = 30.0
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class FetchLimits:
    max_bytes: int
    allow_private: bool = False
    """Whether loopback and private addresses may be fetched from."""


def fetch(url: str, path: str, limits: FetchLimits) -> bytes:
    """What is at `url`. Raises InvalidArgumentError naming `path`, UnavailableError when nobody answers."""
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    for _ in range(_MAX_REDIRECTS + 1):
        parts = _checked_url(url, path)
        address = _checked_address(parts, path, limits)
        connection = _connection(parts, address)
        try:
            connection.request("GET", _target(parts), headers={"Host": parts.netloc, "Accept": "*/*"})
            with connection.getresponse() as response:
                location = response.getheader("Location")
                if response.status in _REDIRECTS and location:
                    url = urljoin(url, location)
                    continue
                if response.status != 200:
                    raise InvalidArgumentError(
                        f"{path}: {url!r} answered {response.status} {response.reason}"
                    )
                return _read(response, path, limits, deadline)
        except (OSError, http.client.HTTPException) as error:
            raise UnavailableError(
                f"{path}: {parts.hostname!r} could not be fetched from: {error}"
            ) from error
        finally:
            connection.close()
    raise InvalidArgumentError(f"{path}: {url!r} redirects more than {_MAX_REDIRECTS} times")


def opened(url: str, path: str, limits: FetchLimits) -> tuple[http.client.HTTPConnection, str]:
    """A connection to the host of `url`, to an address that may be asked, and what to ask it for.

    Raises InvalidArgumentError naming `path`.
    """
    parts = _checked_url(url, path)
    return _connection(parts, _checked_address(parts, path, limits)), _target(parts)


def _checked_url(url: str, path: str) -> SplitResult:
    try:
        return checked_url(url)
    except ValueError as error:
        raise InvalidArgumentError(f"{path}: {url!r} {error}") from error


def _checked_address(parts: SplitResult, path: str, limits: FetchLimits) -> str:
    """The address to connect to. Every address of the name must be allowed, not only the first."""
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise InvalidArgumentError(f"{path}: the host {host!r} is not known: {error}") from error
    addresses = [str(entry[4][0]).split("%")[0] for entry in found]
    if any(is_reserved(ipaddress.ip_address(each)) for each in addresses):
        raise InvalidArgumentError(f"{path}: {host!r} is an address that is never asked")
    if not limits.allow_private and not all(is_public(ipaddress.ip_address(a)) for a in addresses):
        raise InvalidArgumentError(
            f"{path}: {host!r} is a private or loopback address; it is not asked unless "
            "pipelines.allow_private_urls is set"
        )
    return addresses[0]


def _connection(parts: SplitResult, address: str) -> http.client.HTTPConnection:
    if parts.scheme == "https":
        return _PinnedHTTPSConnection(parts, address)
    return http.client.HTTPConnection(address, parts.port or 80, timeout=_TIMEOUT_SECONDS)


class _PinnedHTTPSConnection(http.client.HTTPSConnection):
    """Connects to an address, and expects the certificate of the name."""

    def __init__(self, parts: SplitResult, address: str) -> None:
        self._context_of_name = ssl.create_default_context()
        super().__init__(
            parts.hostname or "", parts.port or 443, timeout=_TIMEOUT_SECONDS, context=self._context_of_name
        )
        self._address = address

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), _TIMEOUT_SECONDS)
        self.sock = self._context_of_name.wrap_socket(plain, server_hostname=self.host)


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _read(response: http.client.HTTPResponse, path: str, limits: FetchLimits, deadline: float) -> bytes:
    chunks, size = [], 0
    while chunk := response.read1(_CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        if size > limits.max_bytes:
            raise InvalidArgumentError(f"{path}: the file is larger than {limits.max_bytes // 2**20} MiB")
        if time.monotonic() > deadline:
            raise UnavailableError(f"{path}: the file did not arrive within {_TIMEOUT_SECONDS:.0f} s")
    return b"".join(chunks)
