"""What happens to experiments when they are written: hooks of the embedded API server.

On other clusters there are no such hooks: there the controllers act as if the defaults were written, and say in the
object's status what is amiss.
"""

from __future__ import annotations

from sampan.components.tuning.api.defaults import with_defaults
from sampan.components.tuning.api.kinds import EXPERIMENTS
from sampan.kube.admission import AdmissionRequest, Hook, MutatingHook, Reader
from sampan.kube.meta import Object


def put_defaults(_request: AdmissionRequest, obj: Object, _old: Object | None, _reader: Reader) -> Object:
    return with_defaults(obj)


HOOKS: tuple[Hook, ...] = (
    MutatingHook("experiment-defaults", (EXPERIMENTS,), put_defaults, ("CREATE", "UPDATE")),
)
