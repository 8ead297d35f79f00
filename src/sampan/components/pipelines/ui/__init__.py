"""The pages of pipelines in the dashboard. `INTERFACE` is what the shell is told of them.

They reach runs, pipelines and all else through the REST API alone (`ui.api`), as the user whose tab it is.
"""

from __future__ import annotations

from pathlib import Path

from sampan.components.pipelines.ui import step_log
from sampan.components.pipelines.ui.run_list import page as run_list
from sampan.components.pipelines.ui.run_page import page as run_page
from sampan.ui.contract import Interface, NavEntry, NavSection, Page

INTERFACE = Interface(
    sections=(NavSection("Pipelines", (NavEntry("Runs", "/runs", "play_circle"),), order=10),),
    pages=(
        Page("/runs", "Runs", run_list.build),
        Page("/runs/{run_id}", "Run", run_page.build, parent="/runs"),
        Page("/runs/{run_id}/logs/{task_id}", "Log", step_log.build, parent="/runs"),
    ),
    styles=(Path(__file__).parent / "runs.css",),
    upstream_links={"/runs": "/runs", "/runs/details/{run_id}": "/runs/{run_id}"},
)
