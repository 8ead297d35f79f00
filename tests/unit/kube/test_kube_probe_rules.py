"""What the API says to probes and hooks that cannot be meant."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.cluster.apiserver.kinds import probes
from sampan.kube.fielderrors import FieldErrors


def errors_of(**container: Any) -> list[tuple[str, str]]:
    probes.default(container)
    errors = FieldErrors()
    probes.validate(container, "c", errors)
    return [(cause.field, cause.message) for cause in errors.causes]


HTTP = {"httpGet": {"port": 80}}


def test_what_is_fine() -> None:
    assert errors_of(livenessProbe=dict(HTTP), readinessProbe={"tcpSocket": {"port": "web"}}) == []
    hooks = {"postStart": {"exec": {"command": ["true"]}}, "preStop": {"sleep": {"seconds": 5}}}
    assert errors_of(lifecycle={**hooks, "stopSignal": "SIGUSR1"}) == []


@pytest.mark.parametrize(
    ("container", "field"),
    [
        ({"livenessProbe": {}}, "c.livenessProbe"),
        ({"livenessProbe": {**HTTP, "exec": {"command": ["x"]}}}, "c.livenessProbe.httpGet"),
        ({"livenessProbe": {**HTTP, "successThreshold": 2}}, "c.livenessProbe.successThreshold"),
        ({"startupProbe": {**HTTP, "terminationGracePeriodSeconds": 0}}, "terminationGracePeriodSeconds"),
        ({"readinessProbe": {**HTTP, "terminationGracePeriodSeconds": 5}}, "terminationGracePeriodSeconds"),
        ({"readinessProbe": {**HTTP, "periodSeconds": -1}}, "c.readinessProbe.periodSeconds"),
        ({"readinessProbe": {"tcpSocket": {"port": 0}}}, "c.readinessProbe.tcpSocket.port"),
        ({"readinessProbe": {"tcpSocket": {"port": "Web"}}}, "c.readinessProbe.tcpSocket.port"),
        ({"readinessProbe": {"exec": {}}}, "c.readinessProbe.exec.command"),
        ({"readinessProbe": {"httpGet": {"port": 1, "scheme": "FTP"}}}, "c.readinessProbe.httpGet.scheme"),
        ({"lifecycle": {"preStop": {}}}, "c.lifecycle.preStop"),
        ({"lifecycle": {"preStop": {"sleep": {"seconds": -1}}}}, "c.lifecycle.preStop.sleep.seconds"),
        ({"lifecycle": {"stopSignal": "TERM"}}, "c.lifecycle.stopSignal"),
        ({"terminationMessagePolicy": "Shout"}, "c.terminationMessagePolicy"),
    ],
)
def test_what_is_refused(container: dict[str, Any], field: str) -> None:
    assert any(each.endswith(field) for each, _ in errors_of(**container)), errors_of(**container)
