"""What whoever writes an object is told of, though it is taken."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.serving.engine.validation import warnings

SECRET = {"enabled": True}


def an_object(kind: str, spec: Any, name: str = "one", namespace: str = "team") -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


@pytest.mark.parametrize(("secret", "is_told"), [(SECRET, True), ({"enabled": False}, False), (None, False)])
@pytest.mark.parametrize("scheme", ["pvc", "s3"])
def test_a_claim_has_no_initializer_that_could_decrypt(secret: Any, is_told: bool, scheme: str) -> None:
    uri = f"{scheme}://claim/words"
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": uri, "confidential": secret}
    for obj in (
        an_object("InferenceService", {"predictor": {"model": model}}),
        an_object(
            "InferenceService", {"predictor": {"sklearn": {"storageUri": uri, "confidential": secret}}}
        ),
        an_object("LLMInferenceService", {"model": {"uri": uri, "confidential": secret}}),
    ):
        told = warnings.of(obj, None)
        assert len(told) == (is_told and scheme == "pvc")
        assert all(each.startswith("confidential has no effect with PVC URIs") for each in told)


def test_parents_of_a_route_that_its_gateways_say_already() -> None:
    route = {"http": {"spec": {"parentRefs": [{"name": "g", "namespace": "n"}]}}}
    router: dict[str, Any] = {"route": route, "gateway": {"refs": [{"name": "g", "namespace": "n"}]}}
    (told,) = warnings.of(an_object("LLMInferenceService", {"router": router}), None)
    assert told.startswith("spec.router.route.http.spec.parentRefs can be omitted")
    for other in ({"route": route}, {**router, "route": {"http": {"spec": {}}}}):
        assert not warnings.of(an_object("LLMInferenceService", {"router": other}), None)


def test_a_configuration_that_all_begin_with_is_changed() -> None:
    def config(spec: Any, name: str = "kserve-config-llm-template", namespace: str = "kserve") -> Any:
        return an_object("LLMInferenceServiceConfig", spec, name, namespace)

    (told,) = warnings.of(config({"replicas": 2}), config({}))
    assert told.startswith("modifying well-known config kserve/kserve-config-llm-template is not recommended")
    assert not warnings.of(config({}), config({}))
    assert not warnings.of(config({}), None)
    for other in ({"name": "mine"}, {"namespace": "team"}):
        assert not warnings.of(config({"replicas": 2}, **other), config({}, **other))
