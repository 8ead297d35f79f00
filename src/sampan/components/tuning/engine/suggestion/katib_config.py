"""What the ConfigMap `katib-config` says: which images answer to which algorithms.

Source: kubeflow/katib 0.19 pkg/util/v1beta1/katibconfig, pkg/apis/config/v1beta1. Upstream's own images stand for the
algorithms that come with the platform (decision 46).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sampan.components.tuning.api.labels import CONFIG_KEY, CONFIG_MAP
from sampan.components.tuning.engine.template.generator import TemplateError, parse
from sampan.kube.meta import Object

SUGGESTION_PORT_NAME, SUGGESTION_PORT = "suggestion-api", 6789
STOPPING_PORT_NAME, STOPPING_PORT = "earlystop-api", 6788
_UPSTREAM = re.compile(
    r"(ghcr\.io/kubeflow/katib/|(docker\.io/)?kubeflowkatib/)(suggestion|earlystopping)-[a-z]+([:@].*)?"
)
_Entries = Mapping[str, Object]


@dataclass(frozen=True, slots=True)
class KatibConfig:
    suggestions: _Entries = field(default_factory=dict)
    early_stoppings: _Entries = field(default_factory=dict)
    """By the algorithm's name."""
    collectors: _Entries = field(default_factory=dict)
    """By the kind of collector."""
    probes: bool = True
    """Whether suggestion services are asked over gRPC whether they are well."""
    error: str = ""
    """Why nothing could be read."""


def katib_config_of(config_map: Mapping[str, Any] | None) -> KatibConfig:
    """Of the ConfigMap; None where there is none."""
    data = (config_map or {}).get("data")
    text = data.get(CONFIG_KEY) if isinstance(data, Mapping) else None
    if config_map is not None and text is None:
        return KatibConfig(error=f"failed to find {CONFIG_KEY} in ConfigMap: {CONFIG_MAP}")
    return _read(str(text or ""))


def own_suggestion(config: KatibConfig, algorithm: str, *, is_built_in: bool) -> Object | None:
    """The entry of a service of the user's own that answers; None where the platform does, or nobody."""
    return _own(config.suggestions, algorithm, is_built_in)


def own_stopping(config: KatibConfig, algorithm: str, *, is_built_in: bool) -> Object | None:
    return _own(config.early_stoppings, algorithm, is_built_in)


def why_no_suggestion(config: KatibConfig, algorithm: str, *, is_built_in: bool) -> str:
    """Empty where somebody answers."""
    why = _why_none(config, config.suggestions, "suggestion", algorithm, is_built_in)
    if why or is_built_in:
        return why
    ports = config.suggestions[algorithm].get("ports") or []
    if not isinstance(ports, list) or not all(isinstance(each, Mapping) for each in ports):
        return f"invalid suggestion config: the ports of algorithm {algorithm} must be a list of objects"
    for port in ports:
        if port.get("name") == SUGGESTION_PORT_NAME or port.get("containerPort") == SUGGESTION_PORT:
            return (
                f'invalid suggestion config: a port with name "{SUGGESTION_PORT_NAME}" or number {SUGGESTION_PORT} '
                "must not be specified"
            )
    return ""


def why_no_stopping(config: KatibConfig, algorithm: str, *, is_built_in: bool) -> str:
    return _why_none(config, config.early_stoppings, "early stopping", algorithm, is_built_in)


def _own(entries: _Entries, algorithm: str, is_built_in: bool) -> Object | None:
    entry = entries.get(algorithm)
    image = str((entry or {}).get("image") or "").strip()
    return None if not image or (is_built_in and _UPSTREAM.fullmatch(image)) else entry


def _why_none(config: KatibConfig, entries: _Entries, what: str, algorithm: str, is_built_in: bool) -> str:
    if is_built_in:
        return ""
    if config.error:
        return config.error
    entry = entries.get(algorithm)
    if entry is None:
        return f"failed to find {what} config for algorithm: {algorithm} in ConfigMap: {CONFIG_MAP}"
    if not str(entry.get("image") or "").strip():
        return f"required value for image configuration of algorithm name: {algorithm}"
    return ""


@lru_cache(maxsize=8)
def _read(text: str) -> KatibConfig:
    if not text.strip():
        return KatibConfig()
    try:
        found = parse(text)
    except TemplateError as error:
        return KatibConfig(error=f"failed to parse {CONFIG_KEY} in ConfigMap: {CONFIG_MAP}: {error}")
    runtime, init = _mapping(found.get("runtime")), _mapping(found.get("init"))
    return KatibConfig(
        _entries(runtime.get("suggestions"), "algorithmName"),
        _entries(runtime.get("earlyStoppings"), "algorithmName"),
        _entries(runtime.get("metricsCollectors"), "kind"),
        _mapping(init.get("controller")).get("enableGRPCProbeInSuggestion") is not False,
    )


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _entries(found: Any, key: str) -> dict[str, Object]:
    listed = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    return {str(each.get(key) or ""): each for each in listed}
