"""The pages of pipelines in the dashboard. `INTERFACE` is what the shell is told of them.

They reach runs, pipelines and all else through the REST API alone (`ui.api`), as the user whose tab it is.
"""

from __future__ import annotations

from sampan.components.pipelines.ui import run_list, step_log
from sampan.ui.contract import Interface, NavEntry, NavSection, Page

INTERFACE = Interface(
    sections=(NavSection("Pipelines", (NavEntry("Runs", "/runs", "play_circle"),), order=10),),
    pages=(
        Page("/runs", "Runs", run_list.build),
        Page("/runs/{run_id}/logs/{task_id}", "Log", step_log.build, parent="/runs"),
    ),
    upstream_links={"/runs": "/runs", "/runs/details/{run_id}": "/runs/{run_id}"},
)
