"""Says of `inferenceservice-config` what cannot be read of it: in an Event about the ConfigMap.

Whoever reads a section takes one that cannot be read for one that is not there, so that nothing stops; here it is said.
"""

from __future__ import annotations

from sampan.components.serving.api.config import unreadable
from sampan.components.serving.api.labels import CONFIG
from sampan.components.serving.api.reading import mapping
from sampan.components.serving.controller.around import Around
from sampan.reconcile.cache import Cache
from sampan.reconcile.controller import Controller, own
from sampan.reconcile.events import EventRecorder
from sampan.reconcile.reconciler import DONE, Request, Result


class ConfigReconciler:
    def __init__(self, around: Around, configs: Cache) -> None:
        """`configs`: of the namespace that has it."""
        self._configs = configs
        self._recorder = EventRecorder(around.client, around.clock, "serving-configuration")

    def controller(self) -> Controller[Request]:
        return Controller(
            "serving-configuration",
            self.reconcile,
            [own(self._configs)],
            workers=1,
            close=self._recorder.close,
        )

    async def reconcile(self, request: Request) -> Result:
        config = self._configs.get(request.namespace, request.name)
        if config is None or request.name != CONFIG:
            return DONE
        for section, why in unreadable(mapping(config.get("data"))).items():
            message = f"{section}: {why}; the section counts as not there until that is mended"
            self._recorder.warning(config, "SectionUnreadable", message)
        return DONE
