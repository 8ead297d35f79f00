"""The form for a language model: what it makes, and what it begins with."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.serving.api.language_models import with_defaults
from sampan.components.serving.engine.language_models import checks
from sampan.components.serving.engine.validation.surroundings import Surroundings
from sampan.components.serving.ui.new_endpoint import language
from sampan.components.serving.ui.new_endpoint.checks import adapters
from sampan.components.serving.ui.new_endpoint.language import Language
from sampan.kube.fielderrors import FieldErrors

FULL = Language(
    name="words",
    namespace="team",
    uri="hf://org/words",
    model="org/words",
    adapters={"polite": "hf://org/polite"},
    configurations=("first", "second"),
    replicas=1,
    most=3,
    image="vllm/vllm-openai:v0.19.0",
    arguments="--max-model-len 64 --chat-template '{{ x }} y'",
    environment={"HF_TOKEN": "t"},
    cpu="2",
    memory="4Gi",
    gpu="1",
)
PLAIN = Language(name="words", namespace="team", uri="hf://org/words", replicas=2)


@pytest.mark.parametrize("wanted", [FULL, PLAIN])
def test_what_is_filled_in_is_taken_and_comes_back(wanted: Language) -> None:
    made = with_defaults(language.service(wanted))
    errors = FieldErrors()
    checks.check(made, None, Surroundings(), errors)
    assert not errors.causes
    assert language.wanted(made) == wanted


def test_its_container_is_vllms() -> None:
    spec = language.service(FULL)["spec"]
    [container] = spec["template"]["containers"]
    assert container["name"] == "main"
    assert container["args"] == ["--max-model-len", "64", "--chat-template", "{{ x }} y"]
    assert "replicas" not in spec
    assert "template" not in language.service(PLAIN)["spec"]
    assert set(language.service(PLAIN)["spec"]["router"]) == {"route", "gateway", "scheduler"}


@pytest.mark.parametrize(
    "change",
    [
        {"prefill": {}},
        {"worker": {"containers": []}},
        {"scaling": {"minReplicas": 1, "maxReplicas": 3, "wva": {"variantCost": "10.0", "keda": {}}}},
        {"parallelism": {"tensor": 2}},
        {"template": {"containers": [{"name": "main", "command": ["serve"]}]}},
        {"template": {"containers": [{"name": "main"}, {"name": "beside", "image": "x"}]}},
        {"template": {"containers": [{"name": "main", "env": [{"name": "K", "valueFrom": {"x": {}}}]}]}},
    ],
)
def test_what_has_no_field_is_edited_as_it_is(change: dict[str, Any]) -> None:
    made = language.service(PLAIN)
    made["spec"].update(change)
    assert language.wanted(made) is None


def test_a_router_of_ones_own_stays() -> None:
    made = language.service(PLAIN)
    made["spec"]["router"] = {"route": {"group": "g", "weight": 3}}
    found = language.wanted(made)
    assert found is not None
    assert language.service(found) == made


def test_adapters_are_somewhere() -> None:
    assert adapters({"a": "hf://a/b"}) == ""
    assert "no address" in adapters({"a": "hf://a/b", "b": "here"})
