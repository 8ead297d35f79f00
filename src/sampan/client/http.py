"""A small synchronous client for JSON over HTTP: what our own command line talks to the server with.

Knows no API: callers give paths and read plain JSON. For Kubernetes objects there is `protocol.Client` instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

import httpx

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 60.0


class HttpError(Exception):
    """The server answered with an error, or not at all (`status` 0). The message is for people."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class JsonClient:
    """Requests to one server, over connections that are kept. For one thread; closed by `close` or `with`."""

    def __init__(self, base_url: str, token: str = "") -> None:
        """`token` is sent as a Bearer token where it is given."""
        self.base_url = base_url.rstrip("/")
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        # The server is named by its address: a proxy of the environment has no part in it.
        self._http = httpx.Client(
            base_url=self.base_url,
            headers=headers,
            timeout=httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
            trust_env=False,
        )

    def __enter__(self) -> JsonClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Any:
        """Raises HttpError."""
        return self._json("GET", path, query=query)

    def post(self, path: str, body: Any = None) -> Any:
        """Raises HttpError."""
        return self._json("POST", path, body=body)

    def delete(self, path: str, query: Mapping[str, str | int] | None = None) -> Any:
        """Raises HttpError."""
        return self._json("DELETE", path, query=query)

    def stream_lines(self, path: str, query: Mapping[str, str | int] | None = None) -> Iterator[str]:
        """The answer's lines as they come, without their ends, for as long as the server sends. HttpError."""
        timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)
        try:
            with self._http.stream("GET", path, params=query, timeout=timeout) as response:
                if response.is_error:
                    response.read()
                    raise _error(response)
                yield from response.iter_lines()
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def _json(
        self, method: str, path: str, *, query: Mapping[str, str | int] | None = None, body: Any = None
    ) -> Any:
        content = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            response = self._http.request(method, path, params=query, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if response.is_error:
            raise _error(response)
        try:
            return response.json()
        except ValueError as error:
            raise HttpError(f"{self.base_url} did not answer with JSON: is it a Sampan server?") from error

    def _unreachable(self, error: httpx.HTTPError) -> HttpError:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return HttpError(f"no server answers at {self.base_url}: start one with `sampan up`")
        return HttpError(f"the connection to {self.base_url} broke: {str(error) or type(error).__name__}")


def _error(response: httpx.Response) -> HttpError:
    """With the message of a google.rpc status, a Kubernetes Status, or an upload's error."""
    try:
        body = response.json()
        message = body.get("message") or body.get("error_message") or ""
    except (ValueError, AttributeError):
        message = ""
    return HttpError(str(message) or f"the server answered {response.status_code}", response.status_code)
