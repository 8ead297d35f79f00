"""What /healthz, /livez and /readyz answer: the server answers, so it is well.

Called by `http`. Source: k8s.io/apiserver/pkg/server/healthz/healthz.go, v1.37.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sampan.kube.errors import NotFoundError

ENDPOINTS = ("healthz", "livez", "readyz")
CHECKS = ("ping",)


def report(endpoint: str, below: Sequence[str], query: Mapping[str, str]) -> str:
    """Raises NotFoundError for a check that there is not."""
    if below:
        if len(below) > 1 or below[0] not in CHECKS:
            raise NotFoundError("the server could not find the requested resource")
        return "ok"
    if "verbose" not in query:
        return "ok"
    return "".join([*(f"[+]{check} ok\n" for check in CHECKS), f"{endpoint} check passed\n"])
