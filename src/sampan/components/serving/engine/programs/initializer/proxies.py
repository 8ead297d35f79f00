"""Proxies that the pod's variables name: which one a request goes through, and how it is asked. For `web`.

HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, in either case, as curl and Python read them. The proxy is spoken to in
plain text, and https goes through it by CONNECT.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from sampan.components.serving.engine.programs.initializer.errors import StorageError, UnreachableError

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    host: str
    port: int
    login: str = ""
    """What follows `Basic`."""

    @property
    def headers(self) -> dict[str, str]:
        return {"Proxy-Authorization": f"Basic {self.login}"} if self.login else {}

    def open_tunnel(self, plain: socket.socket, host: str, port: int) -> None:
        """So that what is written goes to that host. Raises UnreachableError, StorageError, OSError."""
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        lines += [f"{name}: {text}" for name, text in self.headers.items()]
        plain.sendall("\r\n".join((*lines, "", "")).encode("ascii"))
        answer = http.client.HTTPResponse(plain, method="CONNECT")
        try:
            answer.begin()
        except http.client.HTTPException as error:
            raise UnreachableError(f"The proxy {self.host}:{self.port} did not answer: {error!r}") from error
        finally:
            # The socket stays open.
            answer.close()
        if answer.status != 200:
            said = f"The proxy {self.host}:{self.port} answered {answer.status} for {target}"
            raise (UnreachableError if answer.status >= 500 else StorageError)(said)


class Proxies:
    def __init__(self, environ: Mapping[str, str]) -> None:
        found = {name.lower(): value for name, value in environ.items() if name.isupper()}
        found |= {name: value for name, value in environ.items() if name.islower() and value}
        self._by_scheme = {
            scheme: found.get(f"{scheme}_proxy") or found.get("all_proxy") or "" for scheme in _PORTS
        }
        self._exempt = [each.strip().lower() for each in found.get("no_proxy", "").split(",") if each.strip()]

    def of(self, parts: SplitResult) -> Proxy | None:
        """None where the host is asked directly. Raises StorageError."""
        said = self._by_scheme.get(parts.scheme, "")
        if not said or self._is_exempt(parts):
            return None
        return _read(said)

    def _is_exempt(self, parts: SplitResult) -> bool:
        host, port = (parts.hostname or "").lower(), parts.port or _PORTS[parts.scheme]
        return any(_covers(each, host, port) for each in self._exempt)


def _read(said: str) -> Proxy:
    try:
        parts = urlsplit(said if "://" in said else f"http://{said}")
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        host, port, parts = None, 0, urlsplit("")
    if not host or parts.scheme != "http":
        # Without what it says: it may hold a password.
        raise StorageError("The variables name a proxy that is none: write http://HOST:PORT")
    login = ""
    if parts.username:
        said = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        login = base64.b64encode(said.encode()).decode()
    return Proxy(host, port, login)


def _covers(entry: str, host: str, port: int) -> bool:
    """`*`, a network, an address, or a name with all below it; each with a port or without."""
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        pass
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdigit() and ":" not in name:
        if int(wanted) != port:
            return False
        entry = name
    entry = entry.removeprefix("*").removeprefix(".")
    return bool(entry) and (host == entry or host.endswith(f".{entry}"))
