"""ConfigMaps that hold trial templates, and who may make trials of them.

The platform reads them with rights of its own, for whoever writes an experiment: so of other namespaces only what is
meant to be shared. Upstream reads any of them (kubeflow/katib 0.19 pkg/controller.v1beta1/experiment/manifest).
"""

from __future__ import annotations

from sampan.components.tuning.api import labels
from sampan.kube import meta
from sampan.kube.meta import Object


def holds_templates(config_map: Object) -> bool:
    return meta.labels(config_map).get(labels.COMPONENT) == labels.TRIAL_TEMPLATES


def is_for(config_map: Object, namespace: str) -> bool:
    """Whether experiments of that namespace may use it: their own, Katib's, and those with the label of templates."""
    return meta.namespace(config_map) in (namespace, labels.NAMESPACE) or holds_templates(config_map)
