"""What `inferenceservice-config` says of models that are kept on nodes: its section `localModel`.

Source: kserve/kserve v0.20.0 pkg/apis/serving/v1beta1/configmap.go (LocalModelConfig),
pkg/controller/v1alpha1/localmodelnode/controller.go (its defaults).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.api.config import section
from sampan.components.serving.api.reading import text, whole

JOB_NAMESPACE = "kserve-localmodel-jobs"
_LEAST_SECONDS = 1


@dataclass(frozen=True, slots=True)
class LocalModelConfig:
    is_enabled: bool = False
    """Whether InferenceServices take their models from caches."""
    job_namespace: str = JOB_NAMESPACE
    fs_group: int | None = None
    job_ttl_seconds: int = 3600
    look_seconds: int = 60
    """How often nodes' folders are looked at."""
    manages_volumes: bool = True
    """Whether namespaces of InferenceServices get volumes and claims."""

    @staticmethod
    def of(data: Mapping[str, Any]) -> LocalModelConfig:
        """From the ConfigMap's data. What cannot be read counts as not said."""
        said = section(data, "localModel")
        ttl, look = (
            whole(said.get("jobTTLSecondsAfterFinished")),
            whole(said.get("reconcilationFrequencyInSecs")),
        )
        return LocalModelConfig(
            said.get("enabled") is True,
            text(said.get("jobNamespace")) or JOB_NAMESPACE,
            whole(said.get("fsGroup")),
            3600 if ttl is None or ttl < 0 else ttl,
            60 if look is None else max(look, _LEAST_SECONDS),
            said.get("disableVolumeManagement") is not True,
        )
