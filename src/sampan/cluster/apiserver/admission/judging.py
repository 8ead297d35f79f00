"""Whether this server would take an object that somebody else is going to make: one that stands in a template.

For hooks, which ask their reader (`sampan.kube.admission`). Looks at the object alone, as writing it would: its kind,
its fields and the kind's own rules. Writes nothing, and asks nobody: what hooks and webhooks hold against an object may
depend on others, which are yet to come.
"""

from __future__ import annotations

import copy

from sampan.client.protocol import WriteOptions
from sampan.cluster.apiserver import lifecycle, strictness
from sampan.cluster.apiserver.strategy import Strategies
from sampan.kube.errors import ApiError
from sampan.kube.kinds import KindRegistry
from sampan.kube.meta import Object
from sampan.lib.clock import Clock

# Custom kinds drop what their schema does not know, and objects are written for that.
_BUILT_IN = WriteOptions(field_validation="Strict")
_CUSTOM = WriteOptions(field_validation="Ignore")


class Judge:
    def __init__(self, registry: KindRegistry, strategies: Strategies, clock: Clock) -> None:
        self._registry = registry
        self._strategies = strategies
        self._clock = clock

    def wrong_with(self, obj: Object) -> str:
        """Empty where nothing is amiss. `obj` has a name and a namespace."""
        api_version, kind = str(obj.get("apiVersion") or ""), str(obj.get("kind") or "")
        resource = self._registry.by_kind(api_version, kind)
        if resource is None:
            return f'no matches for kind "{kind}" in version "{api_version}": this server does not serve it'
        made = copy.deepcopy(obj)
        try:
            strategy = self._strategies.of(resource)
            lifecycle.check_shape(strategy, made, made["metadata"].get("namespace"))
            options = _BUILT_IN if strategy.built_in else _CUSTOM
            strictness.check(self._strategies, strategy, made, options, None)
            strategy.default(made)
            lifecycle.prepare_create(strategy, made, self._clock)
            lifecycle.validate_create(strategy, made)
        except ApiError as error:
            return error.message
        return ""
