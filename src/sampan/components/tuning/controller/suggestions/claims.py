"""Makes the volume for the checkpoints of a suggestion's trials, before they ask for it. It goes with the suggestion.

Whoever makes the suggestion's other objects may have made it, as the configuration says: what is there stays.
"""

from __future__ import annotations

from contextlib import suppress

from sampan.components.tuning.api.kinds import SUGGESTIONS
from sampan.components.tuning.controller.around import Around
from sampan.components.tuning.engine.checkpoints import claim_of
from sampan.kube import meta, owners
from sampan.kube.errors import AlreadyExistsError
from sampan.kube.kinds import PERSISTENT_VOLUME_CLAIMS
from sampan.reconcile.controller import Controller, own
from sampan.reconcile.reconciler import DONE, Request, Result


class ClaimReconciler:
    def __init__(self, around: Around) -> None:
        self._client = around.client
        self._suggestions = around.caches.of(SUGGESTIONS)
        self._made: set[str] = set()
        """Suggestions' uids: a claim is made once, and one that somebody deletes is not made again under a run."""

    def controller(self) -> Controller[Request]:
        return Controller("checkpoints", self.reconcile, [own(self._suggestions)], workers=1)

    async def reconcile(self, request: Request) -> Result:
        suggestion = self._suggestions.get(request.namespace, request.name)
        if suggestion is None or meta.is_deleting(suggestion) or meta.uid(suggestion) in self._made:
            return DONE
        claim = claim_of(suggestion)
        if claim is None:
            return DONE
        claim["metadata"]["ownerReferences"] = [owners.owner_reference(suggestion)]
        with suppress(AlreadyExistsError):
            await self._client.create(PERSISTENT_VOLUME_CLAIMS, claim)
        self._made.add(meta.uid(suggestion))
        return DONE
