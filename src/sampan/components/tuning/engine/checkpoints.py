"""The volume in which trials keep their checkpoints: asked for by the setting `suggestion_trial_dir`. Pure.

Named and sized as upstream's: kubeflow/katib 0.19 pkg/controller.v1beta1/suggestion/composer/composer.go
(DesiredVolume), pkg/apis/config/v1beta1/defaults.go. Upstream makes it for the resume policy FromVolume only; with
another one, trials that ask for checkpoints would wait for it for ever.
"""

from __future__ import annotations

from sampan.components.tuning.api.reading import named_values
from sampan.kube import meta
from sampan.kube.kinds import PERSISTENT_VOLUME_CLAIMS
from sampan.kube.meta import Object

SETTING = "suggestion_trial_dir"
_STORAGE = "1Gi"


def claim_of(suggestion: Object) -> Object | None:
    """None where the suggestion's trials keep no checkpoints."""
    algorithm = meta.spec(suggestion).get("algorithm") or {}
    if not named_values(algorithm.get("algorithmSettings")).get(SETTING):
        return None
    return {
        "apiVersion": PERSISTENT_VOLUME_CLAIMS.api_version,
        "kind": PERSISTENT_VOLUME_CLAIMS.kind,
        "metadata": {
            "name": f"{meta.name(suggestion)}-{algorithm.get('algorithmName')}",
            "namespace": meta.namespace(suggestion),
        },
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": _STORAGE}}},
    }
