"""The pages of pipelines in the dashboard. `INTERFACE` is what the shell is told of them.

They reach runs, pipelines and all else through the REST API alone (`ui.api`), as the user whose tab it is.
"""

from __future__ import annotations

from sampan.components.pipelines.ui import records, run_list
from sampan.ui.contract import Interface, NavEntry, NavSection, Page

INTERFACE = Interface(
    sections=(
        NavSection("Pipelines", (NavEntry("Runs", "/runs", "play_circle"),), order=10),
        *records.SECTIONS,
    ),
    pages=(
        Page("/runs", "Runs", run_list.build),
        *records.PAGES,
    ),
    styles=(*records.STYLES,),
    upstream_links={
        "/runs": "/runs",
        "/runs/details/{run_id}": "/runs/{run_id}",
        **records.UPSTREAM_LINKS,
    },
)
