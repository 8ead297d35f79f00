"""The PodDisruptionBudgets of SeldonDeployments. Few have any: they are read from the API, by their label.

Clusters before 1.21 serve an older version of them, with the same fields.
"""

from __future__ import annotations

from sampan.client.protocol import ListOptions
from sampan.components.serving.api import labels
from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.inference_services.children import NotServedError
from sampan.components.serving.engine.seldon import names
from sampan.components.serving.engine.seldon.desired import Desired
from sampan.kube import meta
from sampan.kube.kinds import POD_DISRUPTION_BUDGETS, Resource
from sampan.kube.meta import Object
from sampan.reconcile.apply import apply_child, delete_if_present

_VERSIONS = ("policy/v1", "policy/v1beta1")
"""From the one that is taken first."""


class Budgets:
    def __init__(self, around: Around) -> None:
        self._client = around.client
        self._served = None if around.is_embedded else around.served
        self._kind: Resource | None = POD_DISRUPTION_BUDGETS

    async def keep(self, sdep: Object, wanted: Desired) -> None:
        """Those that are wanted, and no others. Raises NotServedError, ApiError."""
        if not wanted.budgets and not meta.status(sdep).get("deploymentStatus"):
            return
        await self._find_kind()
        if self._kind is None:
            if wanted.budgets:
                raise NotServedError("the cluster serves no PodDisruptionBudgets: take the pdbSpec away")
            return
        selector = f"{labels.SELDON_DEPLOYMENT}={names.seldon_id(meta.name(sdep))}"
        found = await self._client.list(
            self._kind, meta.namespace(sdep), ListOptions(label_selector=selector)
        )
        there = {meta.name(each): each for each in found.items}
        for name, budget in wanted.budgets.items():
            body = {**budget, "apiVersion": self._kind.api_version}
            await apply_child(self._client, self._kind, sdep, body, there.get(name))
        for name, each in there.items():
            if name not in wanted.budgets:
                await delete_if_present(self._client, self._kind, each)

    async def _find_kind(self) -> None:
        if self._served is None:
            return
        found = [await self._served(version, POD_DISRUPTION_BUDGETS.kind) for version in _VERSIONS]
        self._kind = next((each for each in found if each is not None), None)
        self._served = None
