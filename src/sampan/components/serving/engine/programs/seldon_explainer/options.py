"""What an explainer is told: by arguments where it speaks Seldon's protocols, by MLServer's variables where v2. Pure.

Source: seldon-core 1.18.2 components/alibi-explain-server/alibiexplainer/{parser,utils}.py,
operator/controllers/seldondeployment_explainers.go; kserve/kserve 0.5.1 (KFServing)
python/alibiexplainer/alibiexplainer/parser.py; SeldonIO/MLServer 1.3.5 runtimes/alibi-explain
mlserver_alibi_explain/common.py.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SELDON_HTTP, SELDON_GRPC, TENSORFLOW_HTTP, V2 = "seldon.http", "seldon.grpc", "tensorflow.http", "v2"
MODELS = "/mnt/models"
KINDS: Mapping[str, str] = {
    "anchor_tabular": "AnchorTabular",
    "anchor_image": "AnchorImages",
    "anchor_text": "AnchorText",
    "kernel_shap": "KernelShap",
    "integrated_gradients": "IntegratedGradients",
    "tree_shap": "TreeShap",
    "ALE": "ALE",
}
"""By MLServer's names, Seldon's."""


def _truth(text: str) -> bool:
    if text.lower() not in ("yes", "true", "t", "y", "1", "no", "false", "f", "n", "0"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() in ("yes", "true", "t", "y", "1")


_READERS: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(("threshold", "delta", "tau", "sample_proba", "temperature", "p_sample"), float),
    **dict.fromkeys(("batch_size", "coverage_samples", "beam_size", "max_anchor_size"), int),
    **dict.fromkeys(("max_samples_start", "n_covered_ex", "binary_cache_size", "cache_margin"), int),
    **dict.fromkeys(("verbose_every", "top_n", "layer", "n_steps", "internal_batch_size", "tree_limit"), int),
    **dict.fromkeys(("stop_on_first", "verbose", "use_unk", "use_similarity_proba"), _truth),
    **dict.fromkeys(("interactions", "approximate", "check_additivity", "summarise_result"), _truth),
    "method": str,
}


class OptionError(Exception):
    """What it is told cannot be. The message is for whoever wrote it."""


@dataclass(frozen=True, slots=True)
class Options:
    kind: str
    """As KINDS' values."""
    name: str = "explainer"
    protocol: str = SELDON_HTTP
    predictor: str = ""
    """HOST:PORT, or the address of the model's `infer` for v2."""
    folder: str = ""
    """Of an explainer that was made before; empty for none."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """For each explanation."""
    init: Mapping[str, Any] = field(default_factory=dict)
    """For an explainer that has to be made."""
    http_port: int = 8080
    tf_data_type: str = ""


def options(words: Sequence[str], environ: Mapping[str, str]) -> Options:
    """Raises OptionError."""
    if any(word.startswith("--predictor_host") for word in words) or "MLSERVER_MODEL_EXTRA" not in environ:
        return _of_arguments(words, environ)
    return _of_variables(environ)


def _of_arguments(words: Sequence[str], environ: Mapping[str, str]) -> Options:
    parser = argparse.ArgumentParser(prog="alibiexplainer", exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--model_name", default="explainer")
    parser.add_argument("--predictor_host", default="")
    parser.add_argument("--storage_uri", default=environ.get("STORAGE_URI", ""))
    parser.add_argument("--protocol", default=SELDON_GRPC)
    parser.add_argument("--tf_data_type", default="")
    parser.add_argument("--http_port", type=int, default=8080)
    parser.add_argument("--workers", default="")
    parser.add_argument("kind", nargs="?", default="")
    try:
        told, rest = parser.parse_known_args(list(words))
    except argparse.ArgumentError as error:
        raise OptionError(str(error)) from error
    if told.protocol not in (SELDON_HTTP, SELDON_GRPC, TENSORFLOW_HTTP):
        raise OptionError(
            f"the protocol {told.protocol} is none of seldon.http, seldon.grpc, tensorflow.http"
        )
    return Options(
        kind=_known(told.kind),
        name=told.model_name,
        protocol=told.protocol,
        predictor=told.predictor_host,
        folder=told.storage_uri.removeprefix("file://"),
        config=dict(_setting(word) for word in _joined(rest)),
        http_port=told.http_port,
        tf_data_type=told.tf_data_type,
    )


def _joined(rest: Sequence[str]) -> list[str]:
    """Seldon writes `--name=value`, KFServing `--name value`."""
    found: list[str] = []
    for word in rest:
        if word.startswith("--"):
            found.append(word)
        elif found and "=" not in found[-1]:
            found[-1] = f"{found[-1]}={word}"
    return found


def _setting(word: str) -> tuple[str, Any]:
    name, _, text = word[2:].partition("=")
    reader = _READERS.get(name)
    if reader is None:
        raise OptionError(f"config.{name} is no setting of an explainer: known are {', '.join(_READERS)}")
    try:
        return name, reader(text)
    except ValueError as error:
        raise OptionError(f"config.{name} cannot be {text!r}: {error}") from error


def _of_variables(environ: Mapping[str, str]) -> Options:
    try:
        extra = json.loads(environ["MLSERVER_MODEL_EXTRA"])
        kind, init = extra["explainer_type"], extra.get("init_parameters") or {}
        port = int(environ.get("MLSERVER_HTTP_PORT") or 8080)
    except (KeyError, TypeError, ValueError) as error:
        raise OptionError(f"MLSERVER_MODEL_EXTRA does not say what to explain: {error!r}") from error
    if not isinstance(init, dict):
        raise OptionError("init_parameters has to be an object")
    return Options(
        kind=_known(KINDS.get(kind, kind)),
        name=environ.get("MLSERVER_MODEL_NAME") or "explainer",
        protocol=V2,
        predictor=str(extra.get("infer_uri") or ""),
        folder=environ.get("MLSERVER_MODEL_URI") or "",
        init=init,
        http_port=port,
    )


def _known(kind: str) -> str:
    if kind not in KINDS.values():
        raise OptionError(f"{kind or 'nothing'} is no explainer: known are {', '.join(KINDS.values())}")
    return kind
