"""Core kinds: what is refused in which words, and what `kubectl get` shows."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from sampan.cluster.apiserver.kinds import BUILT_IN
from sampan.cluster.apiserver.tables import table
from sampan.kube import kinds
from sampan.kube.fielderrors import FieldErrors

STRATEGIES = {strategy.resource: strategy for strategy in BUILT_IN}


def problems(resource: kinds.Resource, **fields: Any) -> list[str]:
    obj = {"metadata": {"name": "one", "namespace": "team"}, **fields}
    STRATEGIES[resource].default(obj)
    errors = FieldErrors()
    STRATEGIES[resource].validate(obj, errors)
    return [f"{cause.field}: {cause.message}" for cause in errors.causes]


@pytest.mark.parametrize(
    ("kind", "keys", "missing"),
    [
        ("Opaque", (), []),
        ("example.com/own", (), []),
        ("kubernetes.io/tls", ("tls.crt",), ["data[tls.key]"]),
        ("kubernetes.io/tls", ("tls.crt", "tls.key"), []),
        ("kubernetes.io/basic-auth", (), ["data[username]", "data[password]"]),
        ("kubernetes.io/basic-auth", ("password",), []),
        ("kubernetes.io/ssh-auth", (), ["data[ssh-privatekey]"]),
        ("kubernetes.io/dockerconfigjson", (), ["data[.dockerconfigjson]"]),
        ("kubernetes.io/dockercfg", (), ["data[.dockercfg]"]),
        (
            "kubernetes.io/service-account-token",
            (),
            ["metadata.annotations[kubernetes.io/service-account.name]"],
        ),
    ],
)
def test_a_type_of_secret_promises_keys(kind: str, keys: tuple[str, ...], missing: list[str]) -> None:
    found = problems(kinds.SECRETS, type=kind, data=dict.fromkeys(keys, "YQ=="))
    assert found == [f"{field}: Required value" for field in missing]


def test_credentials_of_registries_are_json_and_never_shown() -> None:
    for text, wrong in (("{}", 0), ("open sesame", 1)):
        data = {".dockerconfigjson": base64.b64encode(text.encode()).decode()}
        found = problems(kinds.SECRETS, type="kubernetes.io/dockerconfigjson", data=data)
        assert len(found) == wrong
        assert "sesame" not in str(found)


def test_the_policies_of_a_pod_are_told_in_order() -> None:
    spec = {"restartPolicy": "Sometimes", "containers": [{"name": "main", "image": "a"}]}
    (found,) = problems(kinds.PODS, spec=spec)
    assert found.endswith('supported values: "Always", "OnFailure", "Never"')


def test_the_addresses_of_nodes_are_shown() -> None:
    node = {
        "metadata": {"name": "one"},
        "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]},
    }
    shown = table(STRATEGIES[kinds.NODES], [node], {}, datetime(2026, 1, 1, tzinfo=UTC), "None")
    names = [column["name"] for column in shown["columnDefinitions"]]
    cells = dict(zip(names, shown["rows"][0]["cells"], strict=True))
    assert (cells["Internal-IP"], cells["External-IP"]) == ("10.0.0.1", "<none>")
