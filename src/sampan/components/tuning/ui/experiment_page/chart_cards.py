"""The charts of an experiment, each a card that draws itself anew when told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from nicegui import ui

from sampan.components.tuning.api.summary import Summary
from sampan.components.tuning.ui import places
from sampan.components.tuning.ui.experiment_page.parts import Shown
from sampan.components.tuning.ui.experiment_page.trial_rows import Wanted
from sampan.components.tuning.ui.experiment_page.trials_part import TrialTable
from sampan.components.tuning.ui.plots import axes, curves, front, progress, space
from sampan.components.tuning.ui.plots.progress import Drawn
from sampan.components.tuning.ui.trials import Trials
from sampan.ui import widgets
from sampan.ui.api import ApiFailureError
from sampan.ui.charts.chart import Chart
from sampan.ui.charts.figure import Figure
from sampan.ui.context import PageContext
from sampan.ui.controls.controls import Choice


class Card(Protocol):
    def build(self) -> None:
        """Its frame."""

    def draw(self) -> None:
        """The trials as they are now."""


class _Card:
    """A frame with a title, and a chart in it."""

    title = ""
    wide = False

    def __init__(self, page: PageContext, shown: Shown) -> None:
        self._page = page
        self._shown = shown
        self._chart: Chart | None = None
        self._names: Mapping[str, Sequence[str]] = {}

    def build(self) -> None:
        with widgets.card(self.title) as card:
            if self.wide:
                card.classes("tu-wide")
            self._bar = ui.element("div").classes("sp-bar-of-list")
            self._bar.set_visibility(False)
            self._place = ui.element("div")
            self._said = widgets.paragraph("", "sp-muted sp-small")
            self.build_more()

    def build_more(self) -> None:
        """What is beside the chart."""

    @property
    def _trials(self) -> Trials:
        return self._shown.trials

    def _show(self, drawn: Drawn | None, why: str = "") -> None:
        if drawn is None:
            self._place.clear()
            self._chart = None
        else:
            self._names = drawn.places
            self._show_figure(drawn.figure)
        self._say(why)

    def _show_figure(self, figure: Figure) -> None:
        if self._chart is None:
            self._place.clear()
            with self._place:
                self._chart = self._made(figure)
        else:
            self._chart.show(figure)

    def _made(self, figure: Figure) -> Chart:
        return Chart(figure, on_pick=self._pick)

    def _say(self, text: str) -> None:
        self._said.set_text(text)
        self._said.set_visibility(bool(text))

    def _pick(self, series: str, place: int) -> None:
        names = self._names.get(series, ())
        if 0 <= place < len(names):
            self._page.go(places.trial(self._shown.experiment.namespace, names[place]))


class History(_Card):
    title = "How the value went"

    def build_more(self) -> None:
        self._metric = ""
        self._offered: Sequence[str] = ()

    def draw(self) -> None:
        metrics = list(self._trials.metrics)
        if metrics != self._offered:
            self._offered = metrics
            self._bar.clear()
            self._bar.set_visibility(len(metrics) > 1)
            with self._bar:
                Choice("Metric", [(each, each) for each in metrics], self._trials.goal.metric, self._choose)
        self._show(progress.history(self._trials, self._metric), "Pick a point to open its trial.")

    def _choose(self, metric: str) -> None:
        self._metric = "" if metric == self._trials.goal.metric else metric
        self.draw()


class Distribution(_Card):
    title = "How the values are spread"

    def draw(self) -> None:
        self._show_figure(progress.distribution(self._trials))
        self._say("The share of trials whose value is at most so much.")


class Coordinates(_Card):
    title = "Parallel coordinates"
    wide = True

    def build_more(self) -> None:
        self._table: TrialTable | None = None
        self._table_place = ui.element("div").classes("tu-space")

    def _made(self, figure: Figure) -> Chart:
        return Chart(figure, on_pick=self._pick, on_brush=self._brush)

    def draw(self) -> None:
        self._show_figure(space.coordinates(self._shown.experiment.parameters, self._trials))
        count = len(self._trials.measured)
        few = (
            f" Of {count:,} trials, {space.MOST_LINES:,}: the best, and others."
            if count > space.MOST_LINES
            else ""
        )
        self._say(f"Drag along an axis to keep the trials that cross there.{few}")
        if self._table is not None:
            self._table.show(self._trials)

    def _brush(self, names: list[str] | None) -> None:
        self._table_place.clear()
        self._table = None
        if names is None:
            return
        with self._table_place:
            self._table = TrialTable(
                self._page, self._shown.experiment.namespace, Wanted(names=tuple(names)), in_address=False
            )
        self._table.show(self._trials)


class Slices(_Card):
    title = "Each parameter by itself"
    wide = True

    def build_more(self) -> None:
        self._charts: dict[str, Chart] = {}
        self._drawn: dict[str, Drawn] = {}

    def draw(self) -> None:
        found = dict(space.slices(self._shown.experiment.parameters, self._trials))
        if list(found) != list(self._charts):
            self._charts = {}
            self._place.clear()
            self._place.classes("tu-slices")
            with self._place:
                for name, drawn in found.items():
                    self._charts[name] = Chart(drawn.figure, on_pick=self._picks(name))
        else:
            for name, drawn in found.items():
                self._charts[name].show(drawn.figure)
        self._drawn = found
        self._say("Later trials have the colour at the top of the scale.")

    def _picks(self, name: str) -> Callable[[str, int], None]:
        def pick(series: str, place: int) -> None:
            if name in self._drawn:
                self._names = self._drawn[name].places
                self._pick(series, place)

        return pick


class Contour(_Card):
    title = "Two parameters together"

    def build_more(self) -> None:
        self._chosen: tuple[str, str] = ("", "")
        self._offered: Sequence[str] = ()

    def draw(self) -> None:
        names = space.pairs(self._shown.experiment.parameters, self._trials)
        if names != self._offered and len(names) > 1:
            self._offered = names
            self._chosen = (names[0], names[1])
            self._bar.clear()
            self._bar.set_visibility(True)
            options = [(each, each) for each in names]
            with self._bar:
                Choice("Across", options, names[0], lambda name: self._choose(0, name))
                Choice("Up", options, names[1], lambda name: self._choose(1, name))
        drawn = space.contour(self._shown.experiment.parameters, self._trials, *self._chosen)
        said = "The field between the points is a guess, from the points that are near."
        self._show(
            drawn,
            said
            if drawn is not None
            else "Choose two different parameters, which at least two trials were given.",
        )

    def _choose(self, side: int, name: str) -> None:
        self._chosen = (name, self._chosen[1]) if side == 0 else (self._chosen[0], name)
        self.draw()


class Importance(_Card):
    title = "What matters"

    def build_more(self) -> None:
        self._asked = -1

    def draw(self) -> None:
        count = len(self._trials.measured)
        if count != self._asked:
            self._asked = count
            if self._chart is None:
                self._say("It is being worked out …")
            self._page.spawn(self._ask(count), "importances")

    async def _ask(self, count: int) -> None:
        # What comes quickly, comes together.
        await asyncio.sleep(_REST_SECONDS)
        if count != self._asked:
            return
        experiment = self._shown.experiment
        path = places.tuning_api(experiment.namespace, experiment.name, "importances")
        try:
            answer = await self._page.api.get(path)
        except ApiFailureError as error:
            self._say(f"It cannot be told: {error.message}")
            return
        if not self._place.is_deleted:
            self._take(answer)

    def _take(self, answer: Any) -> None:
        figure = front.importances(answer)
        if figure is None:
            self._show(None, str(answer.get("why") or "It cannot be told yet."))
        else:
            self._show_figure(figure)
            self._say(f"From {answer.get('trials')} trials.")


class Curves(_Card):
    title = "What trials reported as they went"

    def build_more(self) -> None:
        self._asked: Sequence[str] = ()

    def draw(self) -> None:
        kept = axes.sampled(self._trials, _MOST_CURVES)
        names = [each.name for each in kept]
        if names != self._asked:
            self._asked = names
            self._page.spawn(self._ask(names), "curves")

    async def _ask(self, names: Sequence[str]) -> None:
        # What comes quickly, comes together.
        await asyncio.sleep(_REST_SECONDS)
        if names != self._asked:
            return
        experiment = self._shown.experiment
        path = places.tuning_api(experiment.namespace, experiment.name, "curves")
        query = {"trials": ",".join(names), "metric": self._trials.goal.metric, "points": "200"}
        try:
            answer = await self._page.api.get(path, query)
        except ApiFailureError as error:
            self._say(f"They cannot be read: {error.message}")
            return
        if not self._place.is_deleted:
            self._take(answer, names)

    def _take(self, answer: Any, names: Sequence[str]) -> None:
        found = curves.compared(answer, self._trials.goal.metric, names)
        if found is None:
            self._show(None, "No trial has reported more than its end.")
        else:
            self._names = {name: [name] * 200 for name in names}
            self._show_figure(found)
            self._say(
                f"The best trials, and some of the others: {len(names)} of {len(self._trials.measured):,}."
            )


class Pareto(_Card):
    title = "Objectives against each other"

    def build_more(self) -> None:
        self._front: Sequence[str] = ()
        self._chosen = (0, 1)
        self._is_asking = False
        self._offered: Sequence[str] = ()

    def draw(self) -> None:
        self._offer()
        self._draw_now()
        if not self._is_asking:
            self._is_asking = True
            self._page.spawn(self._ask(), "front")

    def _offer(self) -> None:
        names = [each.metric for each in self._trials.goals]
        if names == self._offered:
            return
        self._offered = names
        self._bar.clear()
        self._bar.set_visibility(len(names) > 2)
        options = [(str(place), name) for place, name in enumerate(names)]
        with self._bar:
            Choice("Across", options, "0", lambda place: self._choose(0, place))
            Choice("Up", options, "1", lambda place: self._choose(1, place))

    def _choose(self, side: int, place: str) -> None:
        one, other = self._chosen
        self._chosen = (int(place), other) if side == 0 else (one, int(place))
        self._draw_now()

    def _draw_now(self) -> None:
        goals = self._trials.goals
        x, y = (goals[place].metric for place in self._chosen)
        count = len(self._front)
        said = f"{count:,} trials are better than all others in something." if count else ""
        self._show(front.pareto(self._trials, self._front, x, y), said)

    async def _ask(self) -> None:
        experiment = self._shown.experiment
        path = places.tuning_api(experiment.namespace, experiment.name, "pareto")
        try:
            answer = await self._page.api.get(path)
        except ApiFailureError as error:
            self._say(f"The front cannot be told: {error.message}")
            return
        finally:
            self._is_asking = False
        if not self._place.is_deleted:
            self._front = [str(each) for each in answer.get("trials") or ()]
            with self._place:
                self._draw_now()


_REST_SECONDS = 1.0
_MOST_CURVES = 10
Make = Callable[[PageContext, Shown], Card]


@dataclass(frozen=True, slots=True)
class Offer:
    label: str
    make: Make
    fits: Callable[[Trials, Summary], bool]


def _always(_trials: Trials, _experiment: Summary) -> bool:
    return True


def _has_space(_trials: Trials, experiment: Summary) -> bool:
    return bool(experiment.parameters)


def _has_two(_trials: Trials, experiment: Summary) -> bool:
    return len(experiment.parameters) > 1


CARDS: Mapping[str, Offer] = {
    "history": Offer("History", History, _always),
    "pareto": Offer("Objectives", Pareto, lambda trials, _: len(trials.goals) > 1),
    "importance": Offer("Importance", Importance, _has_space),
    "curves": Offer("Curves", Curves, _always),
    "coordinates": Offer("Parallel coordinates", Coordinates, _has_space),
    "slices": Offer("Slices", Slices, _has_space),
    "contour": Offer("Contour", Contour, _has_two),
    "distribution": Offer("Distribution", Distribution, _always),
}
