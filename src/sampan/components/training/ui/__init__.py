"""The pages of training in the dashboard. `INTERFACE` is what the shell is told of them.

They reach jobs, runtimes and all else through the API alone (`ui.api`), as the user whose tab it is.
"""

from __future__ import annotations

from pathlib import Path

from sampan.components.training.ui import places, states
from sampan.components.training.ui.job_list import page as job_list
from sampan.components.training.ui.job_page import page as job_page
from sampan.ui.contract import Interface, NavEntry, NavSection, Page

_HERE = Path(__file__).parent

INTERFACE = Interface(
    sections=(
        NavSection(
            "Training",
            (NavEntry("Training jobs", places.LIST, states.ICON, key="t"),),
            order=20,
        ),
    ),
    pages=(
        Page(places.LIST, "Training jobs", job_list.build),
        Page("/training/{plural}/{namespace}/{name}", "Training job", job_page.build, parent=places.LIST),
    ),
    styles=(_HERE / "training.css",),
)
