"""Experiments as rows of a table. Pure."""

from __future__ import annotations

from collections.abc import Callable

from sampan.components.tuning.api.summary import Summary
from sampan.components.tuning.ui import places, states
from sampan.ui.charts.figure import shown
from sampan.ui.table import cells
from sampan.ui.table.cells import Cell
from sampan.ui.table.table import Column, Row

Href = Callable[[str], str]
"""The address of a page by its path."""

COLUMNS = (
    Column("name", "Experiment", sort="name"),
    Column("state", "State", sort="state"),
    Column("trials", "Trials done", sort="trials"),
    Column("best", "Best value", sort="best"),
    Column("algorithm", "Algorithm", sort="algorithm"),
    Column("parameters", "Searches"),
    Column("created", "Created", sort="created"),
    Column("duration", "Took", number=True),
    Column("actions", "", narrow=True),
)
_MOST_NAMES = 3


def row(experiment: Summary, href: Href) -> Row:
    word, tone, icon = states.shown(experiment.state)
    if experiment.is_deleting:
        word, tone, icon = "Being deleted", "warn", "delete"
    share, said = states.progress(experiment)
    return Row(
        experiment.name,
        {
            "name": cells.link(
                experiment.name, href(places.experiment(experiment.namespace, experiment.name))
            ),
            "state": cells.state(word, tone, icon, states.why(experiment), states.short(experiment)),
            "trials": cells.bar(share, said) if experiment.most_trials else said,
            "best": best(experiment),
            "algorithm": algorithm(experiment),
            "parameters": searched(experiment),
            "created": cells.time(experiment.created),
            "duration": cells.duration(experiment.started, experiment.ended),
            "actions": cells.actions([("clone", "Clone", "content_copy"), ("delete", "Delete", "delete")]),
        },
        name=experiment.name,
    )


def best(experiment: Summary) -> Cell:
    objective = experiment.objective
    wanted = f"{states.direction(objective.type)} {objective.metric}".strip()
    value = experiment.best_value
    return cells.lines(shown(value) if value is not None else "–", wanted)


def algorithm(experiment: Summary) -> Cell:
    if experiment.early_stopping:
        return cells.lines(experiment.algorithm, f"with {experiment.early_stopping}")
    return experiment.algorithm


def searched(experiment: Summary) -> Cell:
    """The names of some parameters, and how many there are beside them."""
    if experiment.is_nas:
        return "an architecture"
    names = [each.name for each in experiment.parameters]
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
