"""LoRA's adapters: a model with one is the model with a little added to some of its weights. For `language_model`.

The sum is made once (Hu et al., "LoRA", ICLR 2022, section 4.1: W + BA, scaled by alpha/r), so that a text costs what
it costs without. All other weights are shared with the model itself. Source of the files' form: huggingface/peft 0.18
src/peft/utils/save_and_load.py, src/peft/tuners/lora/{config,layer}.py.
"""

from __future__ import annotations

import copy
import importlib
import itertools
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sampan.components.serving.engine.programs.modelserver.contract import LoadError

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_KEY = re.compile(r"(?:base_model\.model\.)?(?P<module>.+)\.lora_(?P<part>[AB])(?:\.default)?\.weight")
_REFUSED = ("use_dora", "modules_to_save", "layer_replication", "trainable_token_indices")


def with_adapter(model: Any, name: str, folder: str) -> Any:
    """A copy that shares what the adapter does not change. Raises LoadError."""
    config = _config(name, folder)
    pairs = _pairs(name, folder)
    torch: Any = importlib.import_module("torch")
    shared = {id(each): each for each in itertools.chain(model.parameters(), model.buffers())}
    made = copy.deepcopy(model, shared)
    for module, (down, up) in pairs.items():
        try:
            layer = made.get_submodule(module)
            weight = layer.weight
        except AttributeError:
            raise LoadError(f"The adapter {name} is of another model: this one has no {module}.") from None
        added = (up.float() @ down.float()) * _scale(config, module, len(down))
        # Some keep their weights the other way round.
        added = added.T if weight.shape != added.shape else added
        if weight.shape != added.shape:
            raise LoadError(
                f"The adapter {name} is of another model: {module} is {tuple(weight.shape)} here, and "
                f"{tuple(added.shape)} there."
            )
        own = (weight.float() + added.to(weight.device)).to(weight.dtype)
        layer.weight = torch.nn.Parameter(own, requires_grad=False)
    return made


def _config(name: str, folder: str) -> Mapping[str, Any]:
    path = Path(folder) / _CONFIG
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LoadError(f"The adapter {name} cannot be read: {path}: {error}") from None
    if not isinstance(found, dict) or found.get("peft_type") != "LORA":
        raise LoadError(f"The adapter {name} is no LoRA: its peft_type is {dict(found).get('peft_type')!r}.")
    told = [each for each in _REFUSED if found.get(each)]
    if found.get("bias") not in (None, "none"):
        told.append("bias")
    if told:
        raise LoadError(f"The adapter {name} uses {', '.join(told)}, which is not served.")
    return found


def _pairs(name: str, folder: str) -> dict[str, tuple[Any, Any]]:
    """A and B, by module."""
    path = Path(folder) / _WEIGHTS
    if not path.is_file():
        raise LoadError(f"The adapter {name} has no {_WEIGHTS}: save it as safetensors.")
    safetensors: Any = importlib.import_module("safetensors.torch")
    try:
        weights = safetensors.load_file(str(path))
    except Exception as error:
        raise LoadError(f"The adapter {name} cannot be read: {error}") from error
    halves: dict[str, dict[str, Any]] = {}
    for key, tensor in weights.items():
        match = _KEY.fullmatch(key)
        if match is None:
            raise LoadError(f"The adapter {name} has {key}, which is not served.")
        halves.setdefault(match["module"], {})[match["part"]] = tensor
    if not halves or any(len(each) < 2 for each in halves.values()):
        raise LoadError(f"The adapter {name} has no weights, or half of them.")
    return {module: (each["A"], each["B"]) for module, each in halves.items()}


def _scale(config: Mapping[str, Any], module: str, rank: int) -> float:
    alpha = float(_of_pattern(config.get("alpha_pattern"), module) or config.get("lora_alpha") or rank)
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _of_pattern(patterns: Any, module: str) -> Any:
    for pattern, value in (patterns or {}).items():
        if re.fullmatch(rf"(.*\.)?({pattern})", module):
            return value
    return None
