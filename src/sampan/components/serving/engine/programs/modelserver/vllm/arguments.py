"""vLLM's command line, as this server's arguments. Called by `stand_in`; needs no library.

What is about processors, memory, caches and logs is passed over in silence. What would change answers, or needs several
processors or machines, ends the program with the reason. Source: vllm-project/vllm 0.19
vllm/entrypoints/openai/cli_args.py, vllm/engine/arg_utils.py, vllm/entrypoints/cli/serve.py.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sampan.components.serving.engine.programs.modelserver import adapters

PORT = "8000"
VERSION = "0.19.0"
"""What `--version` says: scripts ask it to learn which arguments there are."""
# Arguments of which each takes all words to the next.
_LISTS = frozenset({"served_model_name", "lora_modules", "api_key", "allowed_origins", "middleware"})
# Short names of those that count here.
_SHORT = {"-tp": "tensor_parallel_size", "-pp": "pipeline_parallel_size", "-dp": "data_parallel_size",
          "-q": "quantization", "-n": "nnodes"}  # fmt: skip
_PARALLEL = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size", "nnodes")
# With these values they say nothing.
_CHANGING: Mapping[str, tuple[str, ...]] = {
    "quantization": ("", "none", "None", "null"),
    "hf_overrides": ("", "{}"),
    "rope_scaling": ("", "{}"),
    "logits_processors": ("",),
    "load_format": ("", "auto", "safetensors", "hf"),
    "tokenizer_mode": ("", "auto", "hf", "slow"),
}
# Arguments that take no word after them, beside those that enable or disable something.
_FLAGS = frozenset({"trust_remote_code", "enforce_eager", "headless", "skip_tokenizer_init", "allow_credentials",
                    "calculate_kv_scales", "return_tokens_as_token_ids", "language_model_only", "async_scheduling",
                    "exclude_tools_when_tool_choice_none", "version", "data_parallel_hybrid_lb",
                    "use_tqdm_on_load", "api_server_headless"})  # fmt: skip
_NO_FLAGS = frozenset({"disable_access_log_for_endpoints"})
_SIZES = {"k": 1000, "m": 1000**2, "g": 1000**3, "K": 1024, "M": 1024**2, "G": 1024**3}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([kmgKMG]?)")
_TASKS = {"generate": "", "auto": "", "embed": "text_embedding", "embedding": "text_embedding",
          "classify": "sequence_classification", "score": "sequence_classification"}  # fmt: skip
# Of ours and vLLM's alike.
_SAME = ("dtype", "revision", "tokenizer", "tokenizer_revision", "max_num_seqs", "trust_remote_code", "host",
         "chat_template", "tool_call_parser", "reasoning_parser", "override_generation_config")  # fmt: skip


def translated(words: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """This server's arguments by name. Raises SystemExit with why it cannot be as asked."""
    rest = list(words)
    if rest[:1] == ["serve"]:
        rest = rest[1:]
    elif rest and not rest[0].startswith("-") and rest[0] in ("chat", "complete", "bench", "collect-env"):
        raise SystemExit(f"vllm {rest[0]}: only `vllm serve` is here")
    told, model = _read(rest)
    if path := told.get("config", [""])[0]:
        told = {**_of_file(path), **told}
    one = {name: values[-1] if values else "true" for name, values in told.items()}
    if "version" in one or rest[:1] == ["-v"]:
        print(VERSION, flush=True)
        raise SystemExit(0)
    _check(one)
    model = one.get("model") or one.get("model_tag") or model
    if not model:
        raise SystemExit(
            "vllm serve: say which model, as its folder or its name on the hub: vllm serve MODEL"
        )
    names = told.get("served_model_name") or [model]
    is_folder = model.startswith(("/", ".")) or Path(model).is_dir()
    keys = told.get("api_key") or [each for each in [environ.get("VLLM_API_KEY", "")] if each]
    found = {
        "model_name": names[0],
        "model_dir": model if is_folder else "",
        "model_id": "" if is_folder else model,
        "served_names": json.dumps(names[1:]) if names[1:] else "",
        "http_port": one.get("port") or PORT,
        "enable_grpc": "false",
        "max_model_len": _size(one.get("max_model_len", "")),
        "task": _task(one),
        "generation_config": one.get("generation_config") or "auto",
        "lora_modules": json.dumps(adapters.modules_of(told.get("lora_modules") or [])),
        "auto_tools": "true" if _is_true(one.get("enable_auto_tool_choice", "false")) else "",
        "runtime": "huggingface",
        "vllm": "true",
    }
    found |= {name: one[name] for name in _SAME if one.get(name)}
    if keys:
        found["api_keys"] = json.dumps(keys)
    return found


def _read(words: Sequence[str]) -> tuple[dict[str, list[str]], str]:
    """Values by name, and the model where it stands alone."""
    found: dict[str, list[str]] = {}
    alone, name = "", ""
    for word in words:
        short = word.partition("=")[0]
        if word.startswith("--") or short in _SHORT:
            key, is_whole, value = word.partition("=")
            name = _SHORT.get(key) or key[2:].replace("-", "_")
            if name.startswith("no_"):
                found[name[3:]], name = ["false"], ""
                continue
            values = found.setdefault(name, [])
            if is_whole:
                values.append(value)
                name = name if name in _LISTS else ""
            elif _is_flag(name):
                values.append("true")
                name = ""
        elif name:
            found[name].append(word)
            name = name if name in _LISTS else ""
        elif not word.startswith("-"):
            alone = alone or word
    return found, alone


def _of_file(path: str) -> dict[str, list[str]]:
    try:
        import yaml  # noqa: PLC0415  only where a file is named

        told = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
        items = told.items()
    except (ImportError, OSError, AttributeError, ValueError) as error:
        raise SystemExit(f"--config={path} cannot be read: {error}") from None
    return {
        str(name).replace("-", "_"): [str(each) for each in value]
        if isinstance(value, list)
        else [_plain(value)]
        for name, value in items
    }


def _plain(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict | bool) else str(value)


def _check(one: Mapping[str, str]) -> None:
    for name in _PARALLEL:
        value = one.get(name, "")
        if value.isdigit() and int(value) > 1:
            raise SystemExit(
                f"--{_dashed(name)}={value}: the model is served by one process on one device here, "
                f"and cannot be spread over {value}. Leave the argument out, or run vLLM's own image on a cluster."
            )
    for name, nothing in _CHANGING.items():
        if name in one and one[name] not in nothing:
            raise SystemExit(
                f"--{_dashed(name)}={one[name]}: is not served here, and without it the answers would be others. "
                "Leave it out, or run vLLM's own image on a cluster."
            )
    if any(one.get(name) for name in ("ssl_certfile", "ssl_keyfile")):
        print(
            "TLS is off: the gateway in front speaks plain HTTP with this server.",
            file=sys.stderr,
            flush=True,
        )


def _size(told: str) -> str:
    """`4096`, `32k`, `1K`; nothing for `auto`, which is the model's own."""
    if told in ("", "auto", "-1"):
        return ""
    match = _SIZE.fullmatch(told)
    if match is None:
        raise SystemExit(f"--max-model-len={told}: has to be a number of tokens, such as 4096 or 32k")
    return str(int(float(match[1]) * _SIZES.get(match[2], 1)))


def _task(one: Mapping[str, str]) -> str:
    told = one.get("task") or one.get("convert") or ""
    if told in ("", "auto", "none"):
        return "text_embedding" if one.get("runner") == "pooling" else ""
    if told not in _TASKS:
        raise SystemExit(f"--task={told}: has to be one of {', '.join(_TASKS)} here")
    return _TASKS[told]


def _is_flag(name: str) -> bool:
    return name not in _NO_FLAGS and (name in _FLAGS or name.startswith(("enable_", "disable_")))


def _is_true(told: str) -> bool:
    return told.lower() in ("true", "1", "yes", "")


def _dashed(name: str) -> str:
    return name.replace("_", "-")
