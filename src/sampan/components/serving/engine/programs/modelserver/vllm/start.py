"""A repository with one language model, its further names and its adapters, and vLLM's API. Called by `program`.

Source: vllm-project/vllm 0.19 vllm/entrypoints/openai/{api_server,models/serving}.py.
"""

from __future__ import annotations

import json
import os
from typing import Any

from sampan.components.serving.engine.programs.modelserver import adapters, loaders
from sampan.components.serving.engine.programs.modelserver.arguments import Arguments
from sampan.components.serving.engine.programs.modelserver.contract import Source
from sampan.components.serving.engine.programs.modelserver.repository import Repository
from sampan.components.serving.engine.programs.modelserver.vllm import adapters as changing
from sampan.components.serving.engine.programs.modelserver.vllm.routes import VLLM, Cards


def repository(given: Arguments) -> Repository:
    """With the models loaded. Raises LoadError."""
    options = {**os.environ, **given.options}
    made = Repository(None)
    model: Any = loaders.runtime(given.runtime)(Source(given.model_name, given.model_dir, options))
    made.add(given.model_name, model)
    for name in json.loads(given.options.get("served_names") or "[]"):
        made.aliases[str(name)] = given.model_name
    root = given.options.get("model_id") or given.model_dir
    cards = Cards(root, getattr(model, "max_length", 0))
    cards.adapters.update(adapters.add(made, model, given.options.get("lora_modules", "")))
    keys = json.loads(given.options.get("api_keys") or "[]")
    changes = changing.are_allowed(os.environ)
    made.extension = VLLM(made, cards, keys, changes_adapters=changes)
    return made
