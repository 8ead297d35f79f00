"""Kubernetes' documented behaviour as tests that every Client must pass, ours and those over a real API server.

Subclass it and say how to connect:

    class TestMyClient(ClientConformance):
        @asynccontextmanager
        async def connect(self) -> AsyncIterator[Client]:
            yield my_client

Each test works in a namespace of its own, which it deletes. Nothing is expected but an API server: no controller, no
node. Pods are made unschedulable, Jobs suspended, so that a real cluster leaves them alone.
"""

from __future__ import annotations

from sampan.testing.conformance.access import AccessChecks
from sampan.testing.conformance.customresources import CustomResourceChecks
from sampan.testing.conformance.kinds import KindChecks
from sampan.testing.conformance.machinery import MachineryChecks
from sampan.testing.conformance.patching import PatchingChecks
from sampan.testing.conformance.reading import ReadingChecks
from sampan.testing.conformance.scaling import ScalingChecks
from sampan.testing.conformance.writing import WritingChecks


class ClientConformance(
    WritingChecks,
    PatchingChecks,
    ReadingChecks,
    KindChecks,
    ScalingChecks,
    CustomResourceChecks,
    MachineryChecks,
    AccessChecks,
):
    """Inherit, and implement `connect`."""
