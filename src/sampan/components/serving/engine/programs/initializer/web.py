"""HTTP for all that is fetched: each name is resolved once, each address checked, and the one that was checked is used.

So a name cannot mean another machine a moment later, and each redirect is checked as the first address was. A proxy is
asked for the address that was checked where private ones are not allowed, for it would resolve the name again; where
they are, for the name, which this machine may not know at all.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urljoin, urlsplit

from sampan.components.serving.engine.programs.initializer.addresses import Reach, is_public, is_reserved
from sampan.components.serving.engine.programs.initializer.errors import StorageError, UnreachableError, shown
from sampan.components.serving.engine.programs.initializer.proxies import Proxies, Proxy

_MAX_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CONNECT_SECONDS, _READ_SECONDS = 15.0, 30.0
_SHORT = 1 << 20
_SECRETS = frozenset({"authorization", "cookie", "x-amz-security-token", "x-ms-date", "proxy-authorization"})
_ADDRESSES_PER_NAME = 16


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose certificates are believed."""

    verify: bool = True
    files: tuple[str, ...] = ()
    """PEM files beside what the system trusts."""
    only: str = ""
    """A PEM file in place of what the system trusts."""
    client: tuple[str, str] = ("", "")
    """Certificate and key to show, where the server asks for one."""

    def context(self) -> ssl.SSLContext:
        """Raises StorageError."""
        try:
            context = ssl.create_default_context(cafile=self.only or None)
            for file in self.files:
                context.load_verify_locations(file)
            if self.client[0]:
                context.load_cert_chain(self.client[0], self.client[1] or None)
        except (OSError, ssl.SSLError) as error:
            named = ", ".join(filter(None, (self.only, *self.files, *self.client)))
            raise StorageError(f"Certificates cannot be read from {named}: {error}") from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


@dataclass(slots=True)
class Answer:
    """Of a server, its body unread."""

    status: int
    reason: str
    url: str
    """Where it came from in the end."""
    headers: http.client.HTTPMessage
    body: http.client.HTTPResponse

    def header(self, name: str) -> str:
        return self.headers.get(name) or ""

    @property
    def length(self) -> int | None:
        text = self.header("Content-Length")
        return int(text) if text.isdigit() and not self.header("Content-Encoding") else None

    def text(self, most: int = _SHORT) -> str:
        """A short body. Raises StorageError where it is longer, UnreachableError."""
        try:
            content = self.body.read(most + 1)
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(f"{shown(self.url)} broke off: {error}") from error
        if len(content) > most:
            raise StorageError(f"{shown(self.url)} answered with more than {most} bytes")
        return content.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Ask:
    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    trust: Trust = field(default_factory=Trust)
    follow: bool = True
    """Redirects. What is secret in the headers goes to the first host only."""


class Web:
    """For several threads."""

    def __init__(
        self, reach: Reach, trust: Trust | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self.reach = reach
        self.trust = trust or Trust()
        environ = {} if environ is None else environ
        self._connect_seconds = _seconds(environ, "S3_CONNECT_TIMEOUT", _CONNECT_SECONDS)
        self._read_seconds = _seconds(environ, "S3_READ_TIMEOUT", _READ_SECONDS)
        self._contexts: dict[Trust, ssl.SSLContext] = {}
        self._proxies = Proxies(environ)

    @contextlib.contextmanager
    def ask(self, ask: Ask) -> Iterator[Answer]:
        """Any status is an answer. Raises StorageError, UnreachableError."""
        url, headers, came_from_public = ask.url, dict(ask.headers), False
        for _ in range(_MAX_REDIRECTS + 1):
            parts = checked(url)
            way = self._way(parts)
            if came_from_public and not way.is_public:
                raise StorageError(f"{shown(url)}: a server of the internet leads to a private address")
            connection = self._connect(parts, way, ask.trust)
            answer: Answer | None = None
            try:
                answer = self._send(connection, parts, way, ask, headers)
                location = answer.header("Location")
                if not ask.follow or answer.status not in _REDIRECTS or not location:
                    yield answer
                    return
                came_from_public = came_from_public or way.is_public
                target = urljoin(url, location)
                if _origin(checked(target)) != _origin(parts):
                    headers = {name: text for name, text in headers.items() if name.lower() not in _SECRETS}
                url = target
            finally:
                connection.close()
                if answer is not None:
                    # It holds the socket too.
                    answer.body.close()
        raise StorageError(f"{shown(ask.url)} redirects more than {_MAX_REDIRECTS} times")

    def text(self, ask: Ask, most: int = _SHORT) -> tuple[Answer, str]:
        with self.ask(ask) as answer:
            return answer, answer.text(most)

    def address_of(self, host: str, port: int) -> str:
        """The address that may be connected to for a name. Raises StorageError, UnreachableError."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise UnreachableError(f"The host '{host}' is not known: {error}") from error
        addresses = [str(entry[4][0]).partition("%")[0] for entry in found][:_ADDRESSES_PER_NAME]
        for text in addresses:
            # All of them, for any may be the one that is used.
            if not self.reach.allows(host, ipaddress.ip_address(text)):
                raise StorageError(
                    f"'{host}' is an address that may not be asked for models: a machine's own, or a private one that "
                    "serving.private_hosts does not name"
                )
        return addresses[0]

    def _way(self, parts: SplitResult) -> _Way:
        """Raises StorageError, UnreachableError."""
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        proxy = self._proxies.of(parts)
        try:
            address = self.address_of(host, port)
        except UnreachableError:
            if proxy is None or self.reach.private_hosts is not None:
                raise
            # Only the proxy knows it.
            return _Way(host, port, proxy, is_public=True)
        is_open = is_public(ipaddress.ip_address(address))
        named = host if proxy is not None and self.reach.private_hosts is None else address
        return _Way(named, port, proxy, is_open)

    def _connect(self, parts: SplitResult, way: _Way, trust: Trust) -> http.client.HTTPConnection:
        host, proxy = parts.hostname or "", way.proxy
        if proxy is None:
            plain = self._opened(way.host, way.port, f"{host}:{way.port}")
        else:
            place = _unreserved(proxy.host, proxy.port)
            plain = self._opened(place, proxy.port, f"the proxy {proxy.host}:{proxy.port}")
        try:
            connection = http.client.HTTPConnection(host, way.port)
            connection.sock = plain
            if parts.scheme == "https":
                if proxy is not None:
                    proxy.open_tunnel(plain, way.host, way.port)
                connection.sock = self._context(trust).wrap_socket(plain, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            plain.close()
            raise StorageError(
                f"The certificate of '{host}' is not trusted: {error.verify_message}"
            ) from error
        except (OSError, StorageError) as error:
            plain.close()
            if isinstance(error, StorageError):
                raise
            raise UnreachableError(f"Failed to speak TLS with '{host}:{way.port}': {error}") from error
        return connection

    def _opened(self, address: str, port: int, what: str) -> socket.socket:
        try:
            plain = socket.create_connection((address, port), self._connect_seconds)
        except OSError as error:
            raise UnreachableError(f"Failed to connect to '{what}': {error}") from error
        plain.settimeout(self._read_seconds)
        return plain

    def _context(self, trust: Trust) -> ssl.SSLContext:
        if trust == Trust():
            trust = self.trust
        if trust not in self._contexts:
            self._contexts[trust] = trust.context()
        return self._contexts[trust]

    def _send(
        self,
        connection: http.client.HTTPConnection,
        parts: SplitResult,
        way: _Way,
        ask: Ask,
        headers: Mapping[str, str],
    ) -> Answer:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if way.proxy is not None and parts.scheme == "http":
            target = f"http://{way.authority}{target}"
            headers = {**headers, **way.proxy.headers}
        sent = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "sampan-storage-initializer"}
        sent |= {"Host": parts.netloc.rpartition("@")[2], **headers}
        try:
            connection.request(ask.method, target, body=ask.body, headers=sent)
            body = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(
                f"'{parts.hostname}' did not answer: {error or type(error).__name__}"
            ) from error
        except ValueError as error:
            # A header or path with a line break in it.
            raise StorageError(f"{shown(ask.url)} cannot be asked for: {error}") from error
        return Answer(body.status, body.reason, parts.geturl(), body.headers, body)


@dataclass(frozen=True, slots=True)
class _Way:
    """To a server."""

    host: str
    """The address that was checked, or what a proxy is asked for."""
    port: int
    proxy: Proxy | None
    is_public: bool

    @property
    def authority(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _unreserved(host: str, port: int) -> str:
    """Of a proxy, which may be anywhere but where nothing is ever asked. Raises StorageError, UnreachableError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnreachableError(f"The proxy '{host}' is not known: {error}") from error
    address = str(found[0][4][0]).partition("%")[0]
    if is_reserved(ipaddress.ip_address(address)):
        raise StorageError(f"The proxy '{host}' is a machine's own address")
    return address


def checked(url: str) -> SplitResult:
    """The parts of an http or https URL. Raises StorageError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise StorageError(f"{shown(url)} is not a URL: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise StorageError(f"{shown(url)} is not an http or https URL with a host")
    if not url.isascii() or any(character <= " " for character in url):
        raise StorageError(f"{shown(url)} holds characters that must be percent-encoded")
    return parts


def trust_of(environ: Mapping[str, str]) -> Trust:
    """What the pod's variables say for all but S3 and HDFS, which have their own. Raises StorageError.

    Source: python/storage/kserve_storage/kserve_storage.py (_configure_global_ca_bundle), v0.20.0: a bundle that is
    not there is left out.
    """
    only = environ.get("REQUESTS_CA_BUNDLE") or environ.get("SSL_CERT_FILE") or ""
    files: tuple[str, ...] = ()
    if environ.get("CA_BUNDLE_CONFIGMAP_NAME") and not only:
        folder = environ.get("CA_BUNDLE_VOLUME_MOUNT_POINT") or "/etc/ssl/custom-certs"
        bundle = os.path.join(folder, "cabundle.crt")
        files = (bundle,) if os.path.exists(bundle) else ()
    return Trust(files=files, only=only)


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    return parts.scheme, parts.hostname or "", parts.port


def _seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    try:
        return max(float(environ.get(name) or default), 0.1)
    except ValueError:
        return default
