"""A model's folder, or repository, as Transformers reads it: configuration, tokenizer, weights. For `huggingface`.

Code of a repository runs only with --trust_remote_code, and pickled weights are read only with
--allow_pickled_weights. The device is what there is. Source: kserve 0.20
python/huggingfaceserver/huggingfaceserver/{__main__,utils,encoder_model,generative_model}.py.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sampan.components.serving.engine.programs.modelserver.contract import LoadError, ModelMissingError
from sampan.components.serving.engine.programs.modelserver.runtimes.language import fetched
from sampan.components.serving.engine.programs.modelserver.runtimes.language.settings import Settings
from sampan.components.serving.engine.programs.modelserver.runtimes.language.tasks import CLASSES

_LENGTHS = (
    *("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "model_max_length"),
    *("max_sequence_length", "max_seq_length", "seq_len"),
)
_DEFAULT_LENGTH = 2048
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack")


@dataclass(frozen=True, slots=True)
class Pretrained:
    config: Any
    tokenizer: Any
    model: Any
    device: str
    max_length: int


def config_of(settings: Settings) -> Any:
    """Raises LoadError; ModelMissingError where the folder holds none."""
    if not settings.is_remote and not (Path(settings.model) / "config.json").is_file():
        raise ModelMissingError(
            f"{settings.model} has no config.json: a model of Transformers is a folder that `save_pretrained` wrote, "
            "or --model_id names one on the hub."
        )
    with _explained(settings, "configuration"):
        return _transformers().AutoConfig.from_pretrained(
            settings.model, revision=settings.revision, trust_remote_code=settings.trust_remote_code
        )


def read(settings: Settings, config: Any, task: str) -> Pretrained:
    """Raises LoadError."""
    torch = importlib.import_module("torch")
    max_length = longest(config, settings.max_length)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = _tokenizer(settings)
    with _explained(settings, "weights"):
        _check_weights(settings)
        model = getattr(_transformers(), CLASSES[task]).from_pretrained(
            settings.model,
            revision=settings.revision,
            trust_remote_code=settings.trust_remote_code,
            use_safetensors=None if settings.allow_pickled_weights else True,
            dtype=_dtype(torch, settings.dtype, config, device),
        )
        model = model.to(device).eval()
    return Pretrained(config, tokenizer, model, device, max_length)


def longest(config: Any, told: int | None) -> int:
    """How many tokens the model takes. Raises LoadError where more were asked for."""
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    known = {name: getattr(text, name, None) for name in _LENGTHS}
    lengths = {name: value for name, value in known.items() if isinstance(value, int) and value > 0}
    if not lengths:
        return told or _DEFAULT_LENGTH
    name = min(lengths, key=lambda each: lengths[each])
    limit = lengths[name]
    scaling = getattr(text, "rope_scaling", None) or {}
    if isinstance(scaling, dict) and scaling.get("rope_type") not in ("su", "longrope", "llama3"):
        original = scaling.get("original_max_position_embeddings")
        limit = int((original or limit) * float(scaling.get("factor") or 1.0))
    if told and told > limit and os.environ.get("ALLOW_LONG_MAX_MODEL_LEN") != "1":
        raise LoadError(
            f"User-specified max_model_len ({told}) is greater than the derived max_model_len ({name}={limit} in the "
            "model's config.json). To allow overriding this maximum, set the env var ALLOW_LONG_MAX_MODEL_LEN=1"
        )
    return told or limit


def _tokenizer(settings: Settings) -> Any:
    with _explained(settings, "tokenizer"):
        return _transformers().AutoTokenizer.from_pretrained(
            settings.tokenizer or settings.model,
            revision=settings.tokenizer_revision,
            do_lower_case=settings.lower_case,
            trust_remote_code=settings.trust_remote_code,
        )


def _check_weights(settings: Settings) -> None:
    if settings.is_remote or settings.allow_pickled_weights:
        return
    names = os.listdir(settings.model)
    if not any(name.endswith(".safetensors") for name in names):
        pickled = [name for name in sorted(names) if name.endswith(_PICKLED)]
        raise LoadError(
            f"The weights are in {', '.join(pickled)}, a format that may run code. Save them as safetensors "
            "(`save_pretrained`), or say --allow_pickled_weights=true."
            if pickled
            else "The folder has no weights: there is no .safetensors file in it."
        )


def _dtype(torch: Any, told: str, config: Any, device: str) -> Any:
    names = {"half": "float16", "float": "float32"}
    if told != "auto":
        return getattr(torch, names.get(told, told))
    own = getattr(config, "dtype", None)
    own = getattr(torch, own, None) if isinstance(own, str) else own
    if own is None:
        return torch.float16 if device == "cuda" else torch.float32
    # What a CPU multiplies slowly, or not at all.
    return torch.float32 if device == "cpu" and own == torch.float16 else own


@contextmanager
def _explained(settings: Settings, what: str) -> Iterator[None]:
    try:
        yield
    except LoadError:
        raise
    except Exception as error:
        hint = ""
        if "trust_remote_code" in str(error):
            hint = " Its own code is not run unless --trust_remote_code says so."
        elif settings.is_remote:
            hint = " It is fetched from HF_ENDPOINT, or the public hub, with HF_TOKEN."
        raise LoadError(
            f"The {what} of {settings.model} cannot be read: {type(error).__name__}: {str(error)[:1000]}{hint}"
        ) from error


def _transformers() -> Any:
    try:
        found = importlib.import_module("transformers")
    except ImportError as error:
        raise LoadError(f"This environment has no Transformers ({error}).") from error
    fetched.settle()
    return found
