"""A repository with one language model, its further names and its adapters, and vLLM's API. Called by `program`.

Source: vllm-project/vllm 0.19 vllm/entrypoints/openai/{api_server,models/serving}.py.
"""

from __future__ import annotations

import json
import os
from typing import Any

from sampan.components.serving.engine.programs.modelserver import loaders
from sampan.components.serving.engine.programs.modelserver.arguments import Arguments
from sampan.components.serving.engine.programs.modelserver.contract import LoadError, Source
from sampan.components.serving.engine.programs.modelserver.repository import Repository
from sampan.components.serving.engine.programs.modelserver.vllm import adapters
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
    by_folder: dict[str, Any] = {}
    for each in json.loads(given.options.get("lora_modules") or "[]"):
        name, folder = each["name"], each["path"]
        if not hasattr(model, "with_adapter"):
            raise LoadError(f"The adapter {name}: adapters are of models that write texts.")
        # One of several names: an answer says the one that was asked, as vLLM has it of adapters.
        known = by_folder.get(folder)
        by_folder[folder] = model.with_adapter(name, folder) if known is None else known.named(name)
        made.add(name, by_folder[folder])
        cards.adapters[name] = folder
    keys = json.loads(given.options.get("api_keys") or "[]")
    changes = adapters.are_allowed(os.environ)
    made.extension = VLLM(made, cards, keys, changes_adapters=changes)
    return made
