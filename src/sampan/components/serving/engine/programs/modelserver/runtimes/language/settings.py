"""What the program's arguments say of a model of Transformers. Read by `huggingface.load`; pure.

Source: kserve 0.20 python/huggingfaceserver/huggingfaceserver/__main__.py. `--allow_pickled_weights` is ours: weights
come from safetensors alone unless it is given. `--max_num_seqs`, `--tokenizer`, `--chat_template`,
`--tool_call_parser`, `--reasoning_parser`, `--generation_config` and `--override_generation_config` are vLLM's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sampan.components.serving.engine.programs.modelserver.contract import LoadError, Source
from sampan.components.serving.engine.programs.modelserver.runtimes.language import reasoning, tools

BACKENDS = ("auto", "huggingface", "vllm")
DTYPES = ("auto", "float16", "float32", "bfloat16", "float", "half")
_TRUE, _FALSE = ("", "1", "true", "yes", "on", "y", "t"), ("0", "false", "no", "off", "n", "f")


@dataclass(frozen=True, slots=True)
class Settings:
    name: str
    model: str
    """A folder, or the name of a repository on the hub."""
    is_remote: bool = False
    revision: str | None = None
    tokenizer_revision: str | None = None
    task: str = ""
    dtype: str = "auto"
    max_length: int | None = None
    lower_case: bool = True
    special_tokens: bool = True
    trust_remote_code: bool = False
    allow_pickled_weights: bool = False
    tensor_input_names: tuple[str, ...] = ()
    token_type_ids: bool = False
    offsets: bool = False
    probabilities: bool = False
    raw_logits: bool = False
    max_sequences: int = 16
    tokenizer: str = ""
    """Where it is another's than the model's."""
    chat_template: str = ""
    """In place of the tokenizer's."""
    tool_parser: str = ""
    """Of `tools`; empty for what the chat template tells."""
    reasoning_parser: str = ""
    """Of `reasoning`; empty where thoughts are not told apart."""
    samples: bool = False
    """A request that says nothing of randomness is written at random, as vLLM has it, not by the likeliest words."""
    own_generation: bool = True
    """The model's own generation_config counts."""
    generation: Mapping[str, Any] = field(default_factory=dict)
    """What counts before it."""


def settings_of(source: Source) -> Settings:
    """Raises LoadError."""
    told = source.options
    is_vllm = _one_of(told, "backend", BACKENDS) == "vllm" or _flag(told, "vllm")
    model = told.get("model_id", "")
    probabilities, raw_logits = _flag(told, "return_probabilities"), _flag(told, "return_raw_logits")
    if probabilities and raw_logits:
        raise LoadError("--return_probabilities and --return_raw_logits exclude one another")
    return Settings(
        name=source.name,
        model=model or source.folder,
        is_remote=bool(model),
        revision=told.get("model_revision") or None,
        tokenizer_revision=told.get("tokenizer_revision") or None,
        task=told.get("task", ""),
        dtype=_one_of(told, "dtype", DTYPES),
        max_length=_whole(told, "max_model_len") or _whole(told, "max_length"),
        lower_case=not _flag(told, "disable_lower_case"),
        special_tokens=not _flag(told, "disable_special_tokens") and _flag(told, "add_special_tokens", True),
        trust_remote_code=_flag(told, "trust_remote_code"),
        allow_pickled_weights=_flag(told, "allow_pickled_weights"),
        tensor_input_names=tuple(each for each in told.get("tensor_input_names", "").split(",") if each),
        token_type_ids=_flag(told, "return_token_type_ids"),
        offsets=_flag(told, "return_offsets_mapping"),
        probabilities=probabilities,
        raw_logits=raw_logits,
        max_sequences=_whole(told, "max_num_seqs") or 16,
        tokenizer=told.get("tokenizer", ""),
        chat_template=_template(told.get("chat_template", "")),
        tool_parser=_one_of(told, "tool_call_parser", ("", *tools.PARSERS)),
        reasoning_parser=_one_of(told, "reasoning_parser", ("", *reasoning.PARSERS)),
        samples=is_vllm,
        own_generation=told.get("generation_config", "auto") != "vllm",
        generation=_json(told, "override_generation_config", {}),
    )


def _template(told: str) -> str:
    """Itself, or a file that holds it. Raises LoadError."""
    if not told or "{" in told or "\n" in told:
        return told
    try:
        return Path(told).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LoadError(
            f"--chat_template={told}: neither a template nor a file that can be read: {error}"
        ) from None


def _json(told: Mapping[str, str], name: str, otherwise: Any) -> Any:
    text = told.get(name)
    if not text:
        return otherwise
    try:
        return json.loads(text)
    except ValueError as error:
        raise LoadError(f"--{name}={text}: is no JSON: {error}") from None


def _one_of(told: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    found = told.get(name) or choices[0]
    if found not in choices:
        raise LoadError(f"--{name} has to be one of {', '.join(choices)}, not {found!r}")
    return found


def _flag(told: Mapping[str, str], name: str, otherwise: bool = False) -> bool:
    found = told.get(name)
    if found is None:
        return otherwise
    if found.lower() not in _TRUE + _FALSE:
        raise LoadError(f"--{name} has to be true or false, not {found!r}")
    return found.lower() in _TRUE


def _whole(told: Mapping[str, str], name: str) -> int | None:
    found = told.get(name)
    if not found:
        return None
    if not found.isdigit() or not int(found):
        raise LoadError(f"--{name} has to be a whole number above 0, not {found!r}")
    return int(found)
