"""The list of doors, by hand: what is not here does not exist."""

from __future__ import annotations

from sampan.app.settings import Settings
from sampan.components import Component


def components(settings: Settings) -> list[Component]:
    """In the order in which they start."""
    from sampan.components.pipelines.component import PipelinesComponent
    from sampan.components.serving.component import ServingComponent
    from sampan.components.training.component import TrainingComponent
    from sampan.components.tuning.component import TuningComponent

    return [
        PipelinesComponent(settings.pipelines, settings.artifacts, settings.retention, settings.mail),
        TrainingComponent(settings.training),
        TuningComponent(settings.tuning),
        ServingComponent(settings.serving),
    ]
