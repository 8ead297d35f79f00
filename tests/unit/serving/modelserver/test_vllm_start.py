"""What a server at vLLM's place has: one model, its further names, and its adapters by theirs."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from sampan.components.serving.engine.programs.modelserver.vllm import start


class Model:
    def __init__(self, told: str, weights: object) -> None:
        self.told, self.weights = told, weights

    def with_adapter(self, name: str, folder: str) -> Model:
        return Model(name, object())

    def named(self, name: str) -> Model:
        return Model(name, self.weights)


def test_an_adapter_of_two_names_is_read_once_and_answers_by_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start.loaders, "runtime", lambda _: lambda source: Model(source.name, object()))
    modules = [{"name": "a", "path": "/a"}, {"name": "publishers/team/models/a", "path": "/a"}]
    modules.append({"name": "b", "path": "/b"})
    options = {"lora_modules": json.dumps(modules), "served_names": json.dumps(["also"])}
    given: Any = SimpleNamespace(model_name="words", model_dir="/m", runtime="huggingface", options=options)
    found = {each.name: each.model for each in start.repository(given).models()}
    assert {name: model.told for name, model in found.items()} == {name: name for name in found}
    assert list(found) == ["words", "a", "publishers/team/models/a", "b"]
    assert found["a"].weights is found["publishers/team/models/a"].weights is not found["b"].weights
