"""Sends what a user wants sent to a URL of theirs, without letting it reach what they could not. Loads httpx.

The name is resolved once, every address of it is checked, and the connection goes to an address that was checked.
Redirects are not followed, the environment's proxies are not used, time and size are bounded. Names of URLs' paths
are never in errors: they may be secrets, as Slack's are.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import SplitResult, urlunsplit

import httpx

from sampan.client.addresses import checked_url, is_public, is_reserved

_MAX_ANSWER_BYTES = 64 * 1024
_SHOWN = 300
_LOOKUPS = 8
"""Names that are looked up together: a resolver that hangs must not hold up the server's other threads."""


class OutgoingError(Exception):
    """It did not arrive. Trying again later may help; the message is for people."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds that the receiver asked to wait; 0 when it did not."""


class RefusedError(OutgoingError):
    """It must not be sent there, now or later."""


@dataclass(frozen=True, slots=True)
class _Place:
    parts: SplitResult
    host: str
    port: int

    def __str__(self) -> str:
        return self.parts.netloc


class Outgoing:
    """For one event loop; `close` ends it."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._context = ssl.create_default_context()
        self._resolvers = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="names")

    def close(self) -> None:
        self._resolvers.shutdown(wait=False, cancel_futures=True)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> None:
        """Returns when the receiver has taken it (2xx). Raises OutgoingError, RefusedError."""
        try:
            parts = checked_url(url)
        except ValueError as error:
            raise RefusedError(f"the URL {error}") from error
        place = _Place(parts, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        try:
            async with asyncio.timeout(seconds):
                await self._post(place, await self._address(place), body, headers)
        except TimeoutError as error:
            raise OutgoingError(f"{place} did not answer within {seconds:.0f} s") from error
        except (httpx.HTTPError, OSError, ssl.SSLError, ValueError) as error:
            raise OutgoingError(f"{place} was not reached: {_reason(error)}") from error

    async def _address(self, place: _Place) -> str:
        """The one to connect to. Every address of the name must be allowed, not only the first."""

        def look_up() -> list[str]:
            found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
            return [str(entry[4][0]).partition("%")[0] for entry in found]

        try:
            addresses = await asyncio.get_running_loop().run_in_executor(self._resolvers, look_up)
        except (OSError, UnicodeError) as error:
            raise OutgoingError(f"the host {place.host!r} is not known") from error
        for address in map(ipaddress.ip_address, addresses):
            if is_reserved(address):
                raise RefusedError(f"{place.host!r} is an address that nothing is sent to")
            if not self._allow_private and not is_public(address):
                raise RefusedError(
                    f"{place.host!r} is a private or loopback address; pipelines.allow_private_urls lets it be used"
                )
        return addresses[0]

    async def _post(self, place: _Place, address: str, body: bytes, headers: Mapping[str, str]) -> None:
        parts = place.parts
        netloc = f"[{address}]:{place.port}" if ":" in address else f"{address}:{place.port}"
        target = urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, ""))
        transport = httpx.AsyncHTTPTransport(verify=self._context)
        async with httpx.AsyncClient(transport=transport, follow_redirects=False, trust_env=False) as client:
            request = client.build_request(
                "POST",
                target,
                content=body,
                headers={"user-agent": "sampan", **headers, "host": parts.netloc},
                extensions={"sni_hostname": place.host, "timeout": httpx.Timeout(None).as_dict()},
            )
            answer = await client.send(request, stream=True)
            try:
                shown = await _beginning(answer)
            finally:
                await answer.aclose()
        if 300 <= answer.status_code < 400:
            raise OutgoingError(f"{place} answered {answer.status_code}: redirects are not followed")
        if not 200 <= answer.status_code < 300:
            said = f": {shown}" if shown else ""
            raise OutgoingError(f"{place} answered {answer.status_code}{said}", _retry_after(answer))


async def _beginning(answer: httpx.Response) -> str:
    """Of what was answered, one line for people. The rest is read, if there is little of it, and let go."""
    read = bytearray()
    async for chunk in answer.aiter_raw():
        read += chunk
        if len(read) > _MAX_ANSWER_BYTES:
            break
    text = bytes(read[:_SHOWN]).decode("utf-8", "replace")
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _retry_after(answer: httpx.Response) -> float:
    with contextlib.suppress(ValueError):
        return max(float(answer.headers.get("retry-after", "0")), 0.0)
    return 0.0


def _reason(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return "nobody answers there" if "All connection attempts failed" in text else text[:_SHOWN]
