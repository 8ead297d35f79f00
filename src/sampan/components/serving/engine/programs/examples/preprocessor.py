"""A model that answers with four numbers whatever it gets: stands at the place of `seldonio/mock-preprocessor`.

Source: seldon-core 1.18.2 testing/docker/mock-preprocessor.
"""

from __future__ import annotations

from typing import Any

from sampan.components.serving.engine.programs.modelserver.custom.inference import InferOutput, InferResponse
from sampan.components.serving.engine.programs.modelserver.custom.model import Model

_FLOWER = [0.1, 0.2, 0.3, 0.4]


class MockPreprocessor(Model):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.ready = True

    async def predict(
        self,
        payload: Any,
        headers: dict[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
    ) -> InferResponse:
        output = InferOutput("input-0", [1, len(_FLOWER)], "FP32", list(_FLOWER))
        return InferResponse(getattr(payload, "id", None), self.name, [output])
