"""Sends what the API server asks webhooks: HTTPS, by name or through a Service, bounded in time and size.

Only this module touches the HTTP library for it. Loaded by `app` when the first webhook is called.

Source: k8s.io/apiserver/pkg/util/webhook/client.go and k8s.io/client-go/rest/request.go (the words of errors), v1.33.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import socket
import ssl
from collections import OrderedDict
from urllib.parse import urlsplit, urlunsplit

import httpx

from sampan.client.addresses import is_reserved
from sampan.client.calls import CallError, Endpoint, Resolve

_MAX_ANSWER_BYTES = 8 * 1024 * 1024
_MAX_CLIENTS = 64
_MAX_CONNECTIONS = 64
_USER_AGENT = "kube-apiserver-admission"
_SHOWN_BODY = 2048
_REFUSALS = {
    400: "the server rejected our request for an unknown reason",
    401: "the server has asked for the client to provide credentials",
    403: "forbidden",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
}


class HttpPoster:
    """`sampan.client.calls.Poster`. Connections are kept, per authority and name."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._clients: OrderedDict[tuple[str, str], httpx.AsyncClient] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        clients = list(self._clients.values())
        self._clients.clear()
        for client in clients:
            await client.aclose()

    async def post(self, endpoint: Endpoint, body: bytes, seconds: float) -> bytes:
        shown = _with_timeout(endpoint.url, seconds)
        try:
            async with asyncio.timeout(seconds):
                return await self._post(endpoint, shown, body)
        except TimeoutError:
            why = "context deadline exceeded"
        except httpx.TransportError as error:
            why = _reason(error)
        except (OSError, ValueError, httpx.InvalidURL) as error:
            why = _reason(error)
        raise CallError(f'Post "{shown}": {why}')

    async def _post(self, endpoint: Endpoint, shown: str, body: bytes) -> bytes:
        parts = urlsplit(shown)
        name, port = parts.hostname or "", parts.port or 443
        if parts.scheme != "https" or not name:
            raise CallError(f'Post "{shown}": unsupported protocol scheme "{parts.scheme}"')
        if endpoint.service is not None:
            try:
                places = [await self._resolve(endpoint.service)]
            except CallError as error:
                raise CallError(f'Post "{shown}": {error}') from error
        else:
            places = [(address, port) for address in await _addresses(name, port)]
        client = self._client(endpoint, name)
        for at, place in enumerate(places):
            try:
                return await self._send(client, shown, place, body)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if at == len(places) - 1:
                    raise httpx.ConnectError(
                        f"dial tcp {_netloc(*place)}: connect: {_reason(error)}"
                        if _is_refused(error)
                        else _reason(error)
                    ) from error
        raise CallError(f'Post "{shown}": dial tcp: lookup {name}: no such host')

    async def _send(
        self, client: httpx.AsyncClient, shown: str, place: tuple[str, int], body: bytes
    ) -> bytes:
        """To the address itself, whatever the name leads to a moment later."""
        parts = urlsplit(shown)
        request = client.build_request(
            "POST",
            urlunsplit(("https", _netloc(*place), parts.path or "/", parts.query, "")),
            content=body,
            headers={
                "host": parts.netloc,
                "content-type": "application/json",
                "accept": "application/json, */*",
            },
            extensions={"sni_hostname": parts.hostname or ""},
        )
        request.extensions["timeout"] = httpx.Timeout(None).as_dict()
        answer = await client.send(request, stream=True)
        try:
            read = bytearray()
            async for chunk in answer.aiter_bytes():
                read += chunk
                if len(read) > _MAX_ANSWER_BYTES:
                    raise CallError(f"the answer is larger than {_MAX_ANSWER_BYTES} bytes")
        finally:
            await answer.aclose()
        content = bytes(read)
        if not 200 <= answer.status_code < 300:
            raise CallError(_refusal(answer.status_code, content))
        return content

    def _client(self, endpoint: Endpoint, name: str) -> httpx.AsyncClient:
        key = endpoint.ca_bundle, name
        client = self._clients.get(key)
        if client is None:
            try:
                context = ssl.create_default_context(cadata=endpoint.ca_bundle or None)
            except (ssl.SSLError, ValueError) as error:
                raise CallError(
                    "unable to load root certificates: unable to parse bytes as PEM block"
                ) from error
            client = self._clients[key] = httpx.AsyncClient(
                transport=httpx.AsyncHTTPTransport(
                    verify=context, limits=httpx.Limits(max_connections=_MAX_CONNECTIONS)
                ),
                headers={"user-agent": _USER_AGENT},
                follow_redirects=False,
                trust_env=False,
            )
            while len(self._clients) > _MAX_CLIENTS:
                self._retire(self._clients.popitem(last=False)[1])
        self._clients.move_to_end(key)
        return client

    def _retire(self, client: httpx.AsyncClient) -> None:
        task = asyncio.get_running_loop().create_task(client.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _addresses(name: str, port: int) -> list[str]:
    """Where a name leads to, without the addresses that lead to a machine's own metadata or to many."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise OSError(f"dial tcp: lookup {name}: no such host") from error
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    allowed = [a for a in addresses if not is_reserved(ipaddress.ip_address(a.partition("%")[0]))]
    if not allowed:
        raise OSError(
            f"dial tcp {_netloc(addresses[0], port)}: webhooks at link-local addresses are not called"
        )
    return allowed


def _netloc(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _with_timeout(url: str, seconds: float) -> str:
    parts = urlsplit(url)
    query = f"{parts.query}&" if parts.query else ""
    return urlunsplit((*parts[:3], f"{query}timeout={math.ceil(seconds)}s", ""))


def _is_refused(error: BaseException) -> bool:
    return "TLS" not in _reason(error) and "tls" not in _reason(error)


def _reason(error: BaseException) -> str:
    """Go's words, by which people look for help."""
    text = str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in text:
        if "mismatch" in text or "not valid for" in text:
            return f"tls: failed to verify certificate: x509: certificate is not valid for the name ({text})"
        return f"tls: failed to verify certificate: x509: certificate signed by unknown authority ({text})"
    if "SSL" in text:
        return f"tls: {text}"
    if "refused" in text or "All connection attempts failed" in text:
        return "connection refused" if "dial tcp" not in text else text
    return text


def _refusal(status: int, content: bytes) -> str:
    body = content[:_SHOWN_BODY].decode("utf-8", "replace").strip()
    if status >= 500 and status != 503:
        return f"an error on the server ({ascii(body)[1:-1]!r}) has prevented the request from succeeding".replace(
            "('", '("'
        ).replace("')", '")')
    return _REFUSALS.get(
        status, f"the server responded with the status code {status} but did not return more information"
    )
