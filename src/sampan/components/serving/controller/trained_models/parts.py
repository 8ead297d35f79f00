"""The controllers of TrainedModels with what they stand on. For `controller.parts`."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.trained_models.model_configs import ModelConfigReconciler
from sampan.components.serving.controller.trained_models.reconciler import TrainedModelReconciler
from sampan.reconcile.manager import Runnable


def trained_models(around: Around) -> Sequence[Runnable]:
    return (ModelConfigReconciler(around).controller(), TrainedModelReconciler(around).controller())
