"""The YAML of a job, as the API has it now."""

from __future__ import annotations

from sampan.components.training.ui import places
from sampan.components.training.ui.job_page.parts import Shown
from sampan.ui.context import PageContext
from sampan.ui.objects import yaml_part


class YamlPart(yaml_part.YamlPart):
    def __init__(self, page: PageContext, shown: Shown) -> None:
        edit = places.cluster(shown.resource, shown.job.namespace, shown.job.name)
        super().__init__(page, lambda: shown.obj, edit)
