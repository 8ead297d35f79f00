"""The pages of training in the dashboard. `INTERFACE` is what the shell is told of them.

They reach jobs, runtimes and all else through the API alone (`ui.api`), as the user whose tab it is.
"""

from __future__ import annotations

from pathlib import Path

from sampan.components.training.ui import home, places, search, states
from sampan.components.training.ui.job_list import page as job_list
from sampan.components.training.ui.job_page import page as job_page
from sampan.components.training.ui.new_job import page as new_job
from sampan.components.training.ui.runtimes import pages as runtimes
from sampan.ui.contract import Interface, NavEntry, NavSection, Page, QuickAction

_HERE = Path(__file__).parent

INTERFACE = Interface(
    sections=(
        NavSection(
            "Training",
            (
                NavEntry("Training jobs", places.LIST, states.ICON, key="t"),
                NavEntry("Runtimes", places.RUNTIMES, "layers"),
            ),
            order=20,
        ),
    ),
    pages=(
        Page(places.LIST, "Training jobs", job_list.build),
        Page(places.NEW, "New training job", new_job.build, parent=places.LIST),
        *runtimes.PAGES,
        Page("/training/{plural}/{namespace}/{name}", "Training job", job_page.build, parent=places.LIST),
    ),
    searches=(search.search, search.search_runtimes),
    feeds=(search.feed,),
    home=home.CARDS,
    quick_actions=(QuickAction("New training job", places.NEW, states.ICON, order=20),),
    styles=(_HERE / "training.css",),
)
