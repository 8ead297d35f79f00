"""What annotations of an endpoint's object say to the gateway. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.serving.engine.gateway.table import Limits
from sampan.kube import meta
from sampan.kube.quantities import parse

CORS_ORIGINS = "sampan.dev/cors-origins"
"""Origins of pages that may call the endpoint, separated by commas, such as `https://app.example.com`; `*` for all."""
MAX_REQUEST_BYTES = "sampan.dev/max-request-size"
"""Of a request's body, as a quantity: `64Mi`."""


class LimitError(Exception):
    """Names the annotation."""


def limits_of(obj: Mapping[str, Any]) -> Limits:
    """Raises LimitError."""
    annotations = meta.annotations(obj)
    origins = frozenset(
        each.strip().lower().rstrip("/")
        for each in annotations.get(CORS_ORIGINS, "").split(",")
        if each.strip()
    )
    for origin in origins:
        if origin != "*" and not origin.startswith(("http://", "https://")):
            raise LimitError(f"{CORS_ORIGINS}: {origin!r} is not an origin such as https://app.example.com")
    size = annotations.get(MAX_REQUEST_BYTES, "")
    if not size:
        return Limits(origins)
    try:
        most = int(parse(size))
    except ValueError as error:
        raise LimitError(f"{MAX_REQUEST_BYTES}: {size!r} is not a size such as 64Mi") from error
    if most <= 0:
        raise LimitError(f"{MAX_REQUEST_BYTES}: {size!r} is not a size such as 64Mi")
    return Limits(origins, most)
