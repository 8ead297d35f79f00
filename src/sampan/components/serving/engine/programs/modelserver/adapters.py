"""LoRA's adapters that the command line names, as models beside the one that they change. For `program` and `vllm`.

Source: vllm-project/vllm 0.19 vllm/entrypoints/openai/cli_args.py (LoRAParserAction), models/serving.py; kserve 0.20
python/huggingfaceserver/huggingfaceserver/__main__.py, which takes vLLM's arguments.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sampan.components.serving.engine.programs.modelserver.arguments import SEPARATOR
from sampan.components.serving.engine.programs.modelserver.contract import LoadError
from sampan.components.serving.engine.programs.modelserver.repository import Repository


def add(repository: Repository, model: Any, told: str) -> dict[str, str]:
    """The folder of each, by name. `told`: the argument's words. Raises LoadError."""
    by_folder: dict[str, Any] = {}
    folders: dict[str, str] = {}
    for each in modules_of(told.split(SEPARATOR) if told else []):
        name, folder = each["name"], each["path"]
        if not hasattr(model, "with_adapter"):
            raise LoadError(f"The adapter {name}: adapters are of models that write texts.")
        # One of several names: an answer says the one that was asked, as vLLM has it of adapters.
        known = by_folder.get(folder)
        by_folder[folder] = model.with_adapter(name, folder) if known is None else known.named(name)
        repository.add(name, by_folder[folder])
        folders[name] = folder
    return folders


def modules_of(told: Sequence[str]) -> list[dict[str, str]]:
    """`NAME=PATH`, or JSON with name and path. Raises SystemExit."""
    found = []
    for each in told:
        try:
            made = json.loads(each) if each.startswith(("{", "[")) else None
        except ValueError:
            raise SystemExit(f"--lora-modules: {each} is no JSON") from None
        if made is None:
            name, equals, path = each.partition("=")
            if not equals:
                raise SystemExit(f"--lora-modules: {each} has to be NAME=PATH, or JSON with name and path")
            made = {"name": name, "path": path}
        for one in made if isinstance(made, list) else [made]:
            if not isinstance(one, dict) or not one.get("name") or not one.get("path"):
                raise SystemExit(f"--lora-modules: {each} names no adapter and its folder")
            found.append({"name": str(one["name"]), "path": str(one["path"])})
    return found
