"""What is to be served: from the program's arguments, a model.config, or a ReloadConfigRequest. Pure but for the file.

Source: tensorflow/serving 2.19 tensorflow_serving/model_servers/{main,server,server_core}.cc (checks and their words),
g3doc/serving_config.md.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from sampan.components.serving.engine.programs.modelserver.contract import LoadError
from sampan.components.serving.engine.programs.modelserver.tfserving.errors import StatusError, invalid
from sampan.components.serving.engine.programs.modelserver.tfserving.messages import message, name_of

PLATFORM = "tensorflow"
METRICS_PATH = "/monitoring/prometheus/metrics"


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of the configuration."""

    name: str
    base_path: str
    platform: str = PLATFORM
    latest: int = 1
    """How many of the newest versions; 0 for all of them."""
    specific: tuple[int, ...] = ()
    labels: Mapping[str, int] = field(default_factory=dict)

    def wanted(self, versions: Sequence[int]) -> list[int]:
        """Those of `versions`, which are there, that are to be served."""
        if self.specific:
            return [each for each in sorted(versions) if each in self.specific]
        return sorted(versions)[-self.latest :] if self.latest else sorted(versions)


@dataclass(frozen=True, slots=True)
class Settings:
    """The program's arguments, beside the models."""

    config_file: str = ""
    config_poll_seconds: float = 0.0
    poll_seconds: float = 1.0
    allow_labels_for_unavailable: bool = False
    retries: int = 5
    retry_seconds: float = 60.0
    as_content: bool = False
    metrics_path: str = ""


def settings_of(options: Mapping[str, str]) -> Settings:
    """Raises LoadError."""
    return Settings(
        config_file=options.get("model_config_file", ""),
        config_poll_seconds=_number(options, "model_config_file_poll_wait_seconds", 0),
        poll_seconds=_number(options, "file_system_poll_wait_seconds", 1),
        allow_labels_for_unavailable=_truth(options, "allow_version_labels_for_unavailable_models"),
        retries=int(_number(options, "max_num_load_retries", 5)),
        retry_seconds=_number(options, "load_retry_interval_micros", 60e6) / 1e6,
        as_content=_truth(options, "enable_serialization_as_tensor_content"),
        metrics_path=_metrics_path(options.get("monitoring_config_file", "")),
    )


def from_file(path: str) -> tuple[Model, ...]:
    """A model.config. Raises StatusError or LoadError."""
    return models_of(_text(path, "ModelServerConfig"))


def models_of(config: Any) -> tuple[Model, ...]:
    """A ModelServerConfig's. Raises StatusError."""
    kind = config.WhichOneof("config")
    if kind == "custom_model_config":
        raise invalid("ServerModelConfig type not supported. Only ModelConfigList is currently supported")
    made: dict[str, Model] = {}
    for each in config.model_config_list.config:
        if each.name in made:
            raise invalid(f"Illegal to list model {each.name} multiple times in config list")
        made[each.name] = _model(each)
    return tuple(made.values())


def check_change(before: Sequence[Model], after: Sequence[Model]) -> None:
    """Raises StatusError."""
    platforms = {each.name: each.platform for each in before}
    for each in after:
        was = platforms.get(each.name, each.platform)
        if was != each.platform:
            raise invalid(
                f"Illegal to change a model's platform. For model {each.name} platform was {was} "
                f"and new platform requested is {each.platform}"
            )


def _model(told: Any) -> Model:
    platform = told.model_platform
    if told.model_type:
        if platform:
            raise invalid(
                "Illegal setting both ModelServerConfig::model_type (deprecated) and "
                f"ModelServerConfig::model_platform, model name is {told.name}"
            )
        if name_of("ModelType", told.model_type) != "TENSORFLOW":
            raise invalid(f"ModelServerConfig::model_type choice {told.model_type} not supported.")
        platform = PLATFORM
    if not platform:
        raise invalid(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            f"ModelServerConfig::model_platform, model name is {told.name}"
        )
    if platform != PLATFORM:
        raise StatusError("FAILED_PRECONDITION", f"PlatformConfigMap has no entry for platform {platform}")
    path = told.base_path.removeprefix("file://")
    if not os.path.isabs(path):
        raise invalid(
            f"Expected model {told.name} to have an absolute path or URI; got base_path()={told.base_path}"
        )
    latest, specific = 1, ()
    choice = told.model_version_policy.WhichOneof("policy_choice")
    if choice == "all":
        latest = 0
    elif choice == "latest":
        latest = told.model_version_policy.latest.num_versions or 1
    elif choice == "specific":
        specific = tuple(sorted(set(told.model_version_policy.specific.versions)))
        if not specific:
            raise invalid("Config error: one or more versions must be specified in the specific policy")
    return Model(told.name, path, platform, latest, specific, dict(told.version_labels))


def _metrics_path(path: str) -> str:
    if not path:
        return ""
    told = _text(path, "MonitoringConfig").prometheus_config
    return str(told.path or METRICS_PATH) if told.enable else ""


def _text(path: str, kind: str) -> Any:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LoadError(f"{path} is not read: {getattr(error, 'strerror', None) or error}") from None
    try:
        return text_format.Parse(text, message(kind)())
    except text_format.ParseError as error:
        raise LoadError(
            f"Invalid protobuf file: '{path}': Error parsing text-format tensorflow.serving.{kind}: {error}"
        ) from None


def _number(options: Mapping[str, str], name: str, otherwise: float) -> float:
    told = options.get(name, "")
    try:
        return float(told) if told else otherwise
    except ValueError:
        raise LoadError(f"--{name}={told} is no number") from None


def _truth(options: Mapping[str, str], name: str) -> bool:
    # A flag alone is true.
    return options.get(name, "false").lower() in ("true", "1", "")
