"""The pages of tuning in the dashboard. `INTERFACE` is what the shell is told of them.

They reach experiments, trials and all else through the API alone (`ui.api`), as the user whose tab it is.
"""

from __future__ import annotations

from pathlib import Path

from sampan.components.tuning.ui import home, places, search
from sampan.components.tuning.ui.experiment_list import page as experiment_list
from sampan.components.tuning.ui.experiment_page import page as experiment_page
from sampan.components.tuning.ui.new_experiment import page as new_experiment
from sampan.components.tuning.ui.templates import pages as templates
from sampan.components.tuning.ui.trial_page import page as trial_page
from sampan.ui.contract import Interface, NavEntry, NavSection, Page, QuickAction

_HERE = Path(__file__).parent

INTERFACE = Interface(
    sections=(
        NavSection(
            "Tuning",
            (
                NavEntry("Tuning", places.LIST, places.ICON, key="k"),
                NavEntry("Trial templates", places.TEMPLATES, "description"),
            ),
            order=25,
        ),
    ),
    pages=(
        Page(places.LIST, "Tuning experiments", experiment_list.build),
        Page(places.NEW, "New tuning experiment", new_experiment.build, parent=places.LIST),
        *templates.PAGES,
        Page(
            "/tuning/experiments/{namespace}/{name}",
            "Tuning experiment",
            experiment_page.build,
            parent=places.LIST,
        ),
        Page("/tuning/trials/{namespace}/{name}", "Trial", trial_page.build, parent=places.LIST),
    ),
    searches=(search.search, search.search_trials),
    feeds=(search.feed,),
    home=home.CARDS,
    quick_actions=(QuickAction("New tuning experiment", places.NEW, places.ICON, order=25),),
    styles=(_HERE / "tuning.css",),
    upstream_links={
        "/katib/hp_monitor/{namespace}/{name}": "/tuning/experiments/{namespace}/{name}",
        "/katib/experiment/{name}": "/tuning/experiments/{ns}/{name}",
    },
)
