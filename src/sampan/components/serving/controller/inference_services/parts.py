"""The controller of InferenceServices with what it stands on. For `controller.parts`."""

from __future__ import annotations

from collections.abc import Sequence

from sampan.components.serving.controller.around import Around
from sampan.components.serving.controller.inference_services.reconciler import InferenceServiceReconciler
from sampan.reconcile.manager import Runnable


def inference_services(around: Around) -> Sequence[Runnable]:
    return (InferenceServiceReconciler(around).controller(),)
