"""What today's rules say of an object that is stored already: another version may have let it in.

Called for the few objects that decide about others (`admission.mirror`); everything else is judged when it is written.
"""

from __future__ import annotations

from sampan.client.protocol import WriteOptions
from sampan.cluster.apiserver import lifecycle, strictness
from sampan.cluster.apiserver.strategy import Strategies
from sampan.kube import meta
from sampan.kube.errors import invalid
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object


def examine(strategies: Strategies, resource: Resource, obj: Object) -> None:
    """Raises what would be wrong with `obj`, which is changed, were it written today."""
    strategy = strategies.of(resource)
    lifecycle.check_shape(strategy, obj, meta.namespace(obj))
    strictness.check(strategies, strategy, obj, WriteOptions(), None)
    errors = FieldErrors()
    strategy.validate(obj, errors)
    if errors:
        raise invalid(resource.group, resource.kind, meta.name(obj), errors.causes)
