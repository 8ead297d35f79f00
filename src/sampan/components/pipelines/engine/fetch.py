"""Fetches what lies at a URL that a user gave: bounded, and by the rules of `client.guarded`. Blocks."""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass

from sampan.client import guarded
from sampan.components.pipelines.api.errors import InvalidArgumentError, UnavailableError
from sampan.lib.threads import check_wanted

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
    try:
        with guarded.opened(url, _rules(path, limits)) as response:
            return _read(response, path, limits, deadline)
    except guarded.RefusedUrlError as error:
        raise InvalidArgumentError(str(error)) from error
    except guarded.UnreachableUrlError as error:
        raise UnavailableError(str(error)) from error


def opened(url: str, path: str, limits: FetchLimits) -> tuple[http.client.HTTPConnection, str]:
    """A connection to the host of `url`, to an address that may be asked, and what to ask it for.

    Raises InvalidArgumentError naming `path`.
    """
    try:
        return guarded.connection(url, _rules(path, limits))
    except guarded.RefusedUrlError as error:
        raise InvalidArgumentError(str(error)) from error


def _rules(path: str, limits: FetchLimits) -> guarded.UrlRules:
    remedy = "it is not asked unless pipelines.allow_private_urls is set"
    return guarded.UrlRules(path, limits.allow_private, remedy, _TIMEOUT_SECONDS)


def _read(response: http.client.HTTPResponse, path: str, limits: FetchLimits, deadline: float) -> bytes:
    chunks, size = [], 0
    while chunk := response.read1(_CHUNK):
        check_wanted()
        chunks.append(chunk)
        size += len(chunk)
        if size > limits.max_bytes:
            raise InvalidArgumentError(f"{path}: the file is larger than {limits.max_bytes // 2**20} MiB")
        if time.monotonic() > deadline:
            raise UnavailableError(f"{path}: the file did not arrive within {_TIMEOUT_SECONDS:.0f} s")
    return b"".join(chunks)
