"""Paths that are open to whoever proves something to their endpoint: these, and none that looks like them."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.app.web import with_proven_paths
from sampan.components.pipelines.rest import PROVEN_PATHS
from sampan.kube.errors import UnauthorizedError

ID = "0437051f-4235-4bb8-8d21-231e15c96932"
FIRE = f"/apis/v2beta1/triggers/{ID}:fire"


class Closed:
    def admit(self, scope: Any) -> Any:
        raise UnauthorizedError("no")


def is_open(path: str, raw: bytes | None = None, method: str = "POST", kind: str = "http") -> bool:
    scope = {"type": kind, "method": method, "path": path, "raw_path": path.encode() if raw is None else raw}
    try:
        user = with_proven_paths(Closed(), PROVEN_PATHS).admit(scope)
    except UnauthorizedError:
        return False
    assert not user.is_master
    return True


def test_a_webhook_is_asked_for_its_secret_only() -> None:
    assert is_open(FIRE)
    assert is_open(f"/pipeline{FIRE}")
    assert is_open(FIRE, f"{FIRE}?x=/../../runs".encode())


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        (f"{FIRE}/../../runs", None),
        (f"{FIRE}/", None),
        (f"/{FIRE}", None),
        (f"{FIRE}\n", None),
        (f"/x{FIRE}", None),
        (FIRE.replace(":fire", ":enable"), None),
        (FIRE.replace(":fire", ""), None),
        ("/apis/v2beta1/triggers/:fire", None),
        ("/apis/v2beta1/triggers/..:fire", None),
        # What one reads as this path and another as something else.
        (FIRE, f"/apis/v2beta1/runs/{ID}".encode()),
        (FIRE, FIRE.replace("0437", "%30437").encode()),
        (f"/apis/v2beta1/runs/{ID}", FIRE.encode()),
        (f"/apis/v2beta1/triggers/x/../{ID}:fire", None),
    ],
)
def test_what_looks_like_one_is_not(path: str, raw: bytes | None) -> None:
    assert not is_open(path, raw)


def test_other_verbs_are_not_open() -> None:
    for method in ("GET", "DELETE", "PATCH", "PUT", "HEAD", "OPTIONS"):
        assert not is_open(FIRE, method=method)
    assert not is_open(FIRE, kind="websocket")
