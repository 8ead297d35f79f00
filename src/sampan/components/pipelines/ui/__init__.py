"""The pages of pipelines in the dashboard. `INTERFACE` is what the shell is told of them.

They reach runs, pipelines and all else through the REST API alone (`ui.api`), as the user whose tab it is.
"""

from __future__ import annotations

from pathlib import Path

from sampan.components.pipelines.ui import first_run, records, run_cards, run_search, step_log
from sampan.components.pipelines.ui.compare import page as compare_page
from sampan.components.pipelines.ui.experiments import pages as experiments
from sampan.components.pipelines.ui.experiments import search as experiment_search
from sampan.components.pipelines.ui.new_run import page as new_run
from sampan.components.pipelines.ui.pipelines import pages as pipelines
from sampan.components.pipelines.ui.previews import page as content_page
from sampan.components.pipelines.ui.run_list import page as run_list
from sampan.components.pipelines.ui.run_page import page as run_page
from sampan.ui.contract import HomeCard, Interface, NavEntry, NavSection, Page

_HERE = Path(__file__).parent

INTERFACE = Interface(
    sections=(
        NavSection(
            "Pipelines",
            (
                NavEntry("Pipelines", "/pipelines", "account_tree", key="p"),
                NavEntry("Experiments", "/experiments", "science", key="e"),
                NavEntry("Runs", "/runs", "play_circle", key="r"),
            ),
            order=10,
        ),
        *records.SECTIONS,
    ),
    pages=(
        *pipelines.PAGES,
        *experiments.PAGES,
        *records.PAGES,
        *new_run.PAGES,
        Page("/runs", "Runs", run_list.build),
        Page("/runs/{run_id}", "Run", run_page.build, parent="/runs"),
        Page("/compare", "Compare runs", compare_page.build, parent="/runs"),
        Page("/runs/{run_id}/logs/{task_id}", "Log", step_log.build, parent="/runs"),
        Page("/artifacts/{artifact_id}/content", "Content", content_page.build),
    ),
    searches=(
        run_search.search,
        *pipelines.SEARCHES,
        experiment_search.search,
        *records.SEARCHES,
    ),
    feeds=(
        run_search.feed,
        *pipelines.FEEDS,
        *records.FEEDS,
    ),
    home=(HomeCard("", first_run.build, order=0), *run_cards.CARDS),
    quick_actions=(*pipelines.QUICK_ACTIONS, *new_run.QUICK_ACTIONS),
    styles=(
        _HERE / "previews" / "previews.css",
        _HERE / "runs.css",
        _HERE / "compare" / "compare.css",
        _HERE / "experiments" / "experiments.css",
        _HERE / "pipelines.css",
        *records.STYLES,
    ),
    upstream_links={
        **pipelines.UPSTREAM_LINKS,
        **new_run.UPSTREAM_LINKS,
        **experiments.UPSTREAM_LINKS,
        **records.UPSTREAM_LINKS,
        "/compare": "/compare?runs={runlist}",
        "/runs": "/runs",
        "/runs/details/{run_id}": "/runs/{run_id}",
    },
)
