"""Which names are the server's own, and which are the gateway's to models."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.app.intercepting import Interception
from sampan.web.guards import GuardSettings


class _Everything:
    """A gateway that would have every name."""

    def wants_host(self, host: bytes, peer: str) -> bool:
        return True


@pytest.mark.parametrize(
    ("authority", "wants"),
    [
        ("katib-db-manager.kubeflow:6789", False),
        ("katib-db-manager.kubeflow.svc:6789", False),
        ("katib-db-manager.kubeflow.svc.cluster.local:6789", False),
        ("127.0.0.1:6789", False),
        ("content.localhost", False),
        ("katib-db-manager.other.svc:6789", True),
        ("iris-predictor.kubeflow.svc.cluster.local", True),
    ],
)
def test_services_that_the_server_has_for_grpc_are_no_endpoints(authority: str, wants: bool) -> None:
    door: Any = _Everything()
    manager = ("katib-db-manager.kubeflow", "katib-db-manager.kubeflow.svc")
    names = (*manager, "katib-db-manager.kubeflow.svc.cluster.local")
    own = GuardSettings.bound_to("127.0.0.1")
    found = Interception(door, own, frozenset({b"content.localhost"}), frozenset(names))
    assert found.wants_authority(authority, "127.0.0.1") is wants
