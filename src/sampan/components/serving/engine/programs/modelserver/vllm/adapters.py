"""Adapters that come and go while the server runs: vLLM's routes for it, where its variable allows them. For `routes`.

Source: vllm-project/vllm 0.19 vllm/entrypoints/serve/lora/api_router.py, vllm/entrypoints/openai/models/serving.py,
docs/features/lora.md.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any

from sampan.components.serving.engine.programs.modelserver.contract import LoadError
from sampan.components.serving.engine.programs.modelserver.errors import RequestError, bad
from sampan.components.serving.engine.programs.modelserver.repository import Repository

_VARIABLE = "VLLM_ALLOW_RUNTIME_LORA_UPDATING"


def are_allowed(environ: Mapping[str, str]) -> bool:
    return environ.get(_VARIABLE, "").lower() in ("1", "true")


class Adapters:
    """`folders`: of those that there are, by name; the list of models tells of them."""

    def __init__(self, repository: Repository, folders: dict[str, str]) -> None:
        self._repository, self._folders = repository, folders
        self._turn = asyncio.Lock()

    async def load(self, body: Mapping[str, Any]) -> str:
        """Raises RequestError."""
        name, folder = body.get("lora_name"), body.get("lora_path")
        if not (isinstance(name, str) and name and isinstance(folder, str) and folder):
            raise bad("Both 'lora_name' and 'lora_path' must be provided.")
        async with self._turn:
            is_known = self._repository.knows(name)
            if is_known and (name not in self._folders or body.get("load_inplace") is not True):
                raise bad(
                    f"The lora adapter '{name}' has already been loaded. If you want to load the adapter in place, set "
                    "'load_inplace' to True."
                )
            base: Any = self._repository.ready(self._repository.names()[0]).model
            if not hasattr(base, "with_adapter"):
                raise bad(f"The lora adapter '{name}': adapters are of models that write texts.")
            made = await asyncio.to_thread(_made, base, name, folder)
            self._take_away(name)
            self._repository.add(name, made)
            self._folders[name] = folder
        return f"Success: LoRA adapter '{name}' added successfully."

    async def unload(self, body: Mapping[str, Any]) -> str:
        """Texts that are being written with it go on to their end. Raises RequestError."""
        name = body.get("lora_name")
        if not (isinstance(name, str) and name):
            raise bad("'lora_name' needs to be provided to unload a LoRA adapter.")
        async with self._turn:
            if name not in self._folders:
                raise RequestError(404, f"The lora adapter '{name}' cannot be found.")
            self._take_away(name)
            del self._folders[name]
        return f"Success: LoRA adapter '{name}' removed successfully."

    def _take_away(self, name: str) -> None:
        """Nobody finds it any more."""
        served = self._repository.find(name)
        self._repository.show(name, None)
        model: Any = served.model if served is not None else None
        if model is not None:
            model.close()


def _made(base: Any, name: str, folder: str) -> Any:
    """Raises RequestError."""
    if not os.path.isdir(folder):
        raise RequestError(404, f"Loading lora {name} failed: No adapter found for {folder}")
    try:
        return base.with_adapter(name, folder)
    except LoadError as error:
        raise bad(f"Loading lora {name} failed: {error}") from None
