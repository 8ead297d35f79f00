"""How a program in a pod learns which trial it is. Pure and light: for the pod hook, and for run objects elsewhere."""

from __future__ import annotations

from sampan.components.tuning.api import labels
from sampan.kube import meta
from sampan.kube.meta import Object


def tell_name(pod: Object, container: str) -> None:
    """To the container that trains. Source: kubeflow/katib 0.19 pkg/webhook/v1beta1/pod/utils.go (mutatePodEnv)."""
    containers = [each for each in meta.spec(pod).get("containers") or () if isinstance(each, dict)]
    chosen = [each for each in containers if each.get("name") == container or not container][:1]
    for each in chosen:
        env = each.get("env") or []
        if any(isinstance(one, dict) and one.get("name") == labels.ENV_TRIAL_NAME for one in env):
            continue
        source = {"fieldRef": {"fieldPath": f"metadata.labels['{labels.TRIAL}']"}}
        each["env"] = [*env, {"name": labels.ENV_TRIAL_NAME, "valueFrom": source}]
