"""One spec over another: what the second says comes before what the first says. Pure.

Source: kserve/kserve 0.20 pkg/controller/v1alpha2/llmisvc/config_merge.go (mergeSpecs): a strategic merge, by the keys
that Kubernetes' own types have.
"""

from __future__ import annotations

from sampan.components.serving.api.reading import mapping
from sampan.components.serving.engine.container_types import CONTAINER_TYPES
from sampan.kube.errors import BadRequestError
from sampan.kube.meta import Object
from sampan.kube.schema import Schema
from sampan.kube.strategic import strategic_merge

_SCHEMA = Schema.parse(
    """
package sampan.serving serving.kserve.io/v1alpha2

LLMInferenceServiceSpec
    template:PodSpec worker:PodSpec prefill:Workload router:Router
Workload
    template:PodSpec worker:PodSpec
Router
    scheduler:Scheduler
Scheduler
    template:PodSpec
PodSpec
    containers:[Container]@name ephemeralContainers:[Container]@name hostAliases:[Aliases]@ip
    imagePullSecrets:[Named]@name initContainers:[Container]@name nodeSelector:{string}
    resourceClaims:[Named]@name schedulingGates:[Named]@name topologySpreadConstraints:[Spread]@topologyKey
    volumes:[Named]@name!
"""
    + CONTAINER_TYPES
)


class MergeError(Exception):
    """Two that do not go together."""


def merged(*specs: Object) -> Object:
    """The last counts most. Raises MergeError."""
    found: Object = {}
    for each in specs:
        try:
            found = mapping(strategic_merge(_SCHEMA, "LLMInferenceServiceSpec", found, each))
        except BadRequestError as error:
            raise MergeError(f"failed to merge specs: {error.message}") from error
    return found


def container(base: Object, override: Object) -> Object:
    """Raises MergeError."""
    try:
        return mapping(strategic_merge(_SCHEMA, "Container", base, override))
    except BadRequestError as error:
        raise MergeError(f"failed to merge containers: {error.message}") from error
