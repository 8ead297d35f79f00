"""Which part of the platform answers which path of its one port."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.routing import Mount, Route

from sampan.app.web import _Front

STATUS = "/apis/trainer.kubeflow.org/v1alpha1/namespaces/a/trainjobs/b/status"


async def _app(scope: Any, receive: Any, send: Any) -> None: ...


ROUTES = (
    Mount("/apis/v2beta1", app=_app),
    Route(
        "/apis/trainer.kubeflow.org/v1alpha1/namespaces/{ns}/trainjobs/{name}/status", _app, methods=["POST"]
    ),
)


@pytest.mark.parametrize(
    ("method", "path", "is_kubernetes"),
    [
        ("POST", STATUS, False),
        ("GET", STATUS, True),
        ("PATCH", STATUS, True),
        ("POST", STATUS.removesuffix("/status"), True),
        ("POST", "/apis/batch/v1/namespaces/a/jobs/b/status", True),
        ("GET", "/apis/v2beta1/runs", False),
        ("GET", "/api/v1/pods", True),
        ("GET", "/ui/", False),
    ],
)
def test_a_components_path_within_a_group_of_kubernetes(method: str, path: str, is_kubernetes: bool) -> None:
    async def kubernetes(scope: Any, receive: Any, send: Any) -> None: ...

    front = _Front(kubernetes, _app, ROUTES)
    scope = {"type": "http", "method": method, "path": path, "headers": []}
    assert front._is_kubernetes(scope) is is_kubernetes
