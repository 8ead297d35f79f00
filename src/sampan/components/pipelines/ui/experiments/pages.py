"""What the room's interface has of experiments."""

from __future__ import annotations

from sampan.components.pipelines.ui.experiments import experiment_page, list_page
from sampan.ui.contract import Page

PAGES = (
    Page("/experiments", "Experiments", list_page.build),
    Page("/experiments/{experiment_id}", "Experiment", experiment_page.build, "/experiments"),
)
UPSTREAM_LINKS = {
    "/experiments": "/experiments",
    "/experiments/details/{experiment_id}": "/experiments/{experiment_id}",
}
