"""Calls of other people's webhooks: where one is, who sends, what goes wrong. No HTTP library; `webhooks` has that.

The API server's admission and conversion call through `Poster`; `app` says which one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class CallError(Exception):
    """No answer that can be used. The message is Kubernetes' own where it has one."""


@dataclass(frozen=True, slots=True)
class ServicePort:
    namespace: str
    name: str
    port: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A webhook's address: a URL, which for a Service is made of its name."""

    url: str
    ca_bundle: str = ""
    """PEM; empty for the authorities that this machine trusts."""
    service: ServicePort | None = None


Resolve = Callable[[ServicePort], Awaitable[tuple[str, int]]]
"""Address and port behind a Service. Raises CallError."""


class Poster(Protocol):
    """For one event loop."""

    async def post(self, endpoint: Endpoint, body: bytes, seconds: float) -> bytes:
        """The body of an answer that is a success, within `seconds`. Raises CallError."""
        ...

    async def close(self) -> None: ...


class NoPoster:
    """Where nobody has said how webhooks are reached."""

    async def post(self, endpoint: Endpoint, body: bytes, seconds: float) -> bytes:
        raise CallError(f'Post "{endpoint.url}": this server calls no webhooks')

    async def close(self) -> None:
        return


def endpoint_of(config: Mapping[str, Any]) -> Endpoint:
    """Of a clientConfig, of a webhook or a conversion. Its authority is base64 in JSON."""
    try:
        bundle = base64.b64decode(config.get("caBundle") or "").decode("ascii", "replace")
    except (binascii.Error, ValueError):
        bundle = "not base64"
    service = config.get("service")
    if not service:
        return Endpoint(str(config.get("url") or ""), bundle)
    place = ServicePort(
        str(service.get("namespace") or ""), str(service.get("name") or ""), int(service.get("port") or 443)
    )
    path = str(service.get("path") or "")
    path = path if path.startswith("/") or not path else f"/{path}"
    return Endpoint(f"https://{place.name}.{place.namespace}.svc:{place.port}{path}", bundle, place)
