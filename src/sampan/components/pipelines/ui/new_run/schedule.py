"""When runs are started: once, at an interval, or at times; with what that means in words, and the next five ticks."""

from __future__ import annotations

from datetime import UTC, datetime

from nicegui import ui

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.ui.new_run.request import UNITS, Schedule
from sampan.components.pipelines.ui.recurring import schedule_words
from sampan.ui import widgets
from sampan.ui.forms.fields import (
    About,
    ChoiceField,
    MomentField,
    NumberField,
    SwitchField,
    TextField,
    ZoneField,
)
from sampan.ui.forms.form import Form
from sampan.ui.times.moments import Moments

_CRON, _INTERVAL = "cron", "interval"
_CUSTOM = "custom"
_PRESETS = [
    ("0 0 * * * *", "Every hour"),
    ("0 0 9 * * *", "Every day at 09:00"),
    ("0 0 9 * * mon-fri", "Monday to Friday at 09:00"),
    ("0 0 9 * * mon", "Every Monday at 09:00"),
    ("0 0 9 1 * *", "The first of every month at 09:00"),
    (_CUSTOM, "At other times"),
]
PLACES = {
    "recurring_run.trigger.cron_schedule.cron": "cron",
    "recurring_run.trigger.periodic_schedule.interval_second": "every",
    "recurring_run.trigger.cron_schedule.end_time": "end",
    "recurring_run.trigger.periodic_schedule.end_time": "end",
    "recurring_run.trigger.cron_schedule.start_time": "start",
    "recurring_run.max_concurrency": "most",
    "max_concurrency": "most",
}


class SchedulePart:
    """The fields of a recurring run. Shown or not, as a whole."""

    def __init__(self, form: Form, start: Schedule) -> None:
        self._form = form
        self._box = ui.element("div").classes("sp-form")
        with self._box:
            self._build(start)
        self._arrange()

    def show(self, shown: bool) -> None:
        self._box.set_visibility(shown)
        for field in self._fields:
            field.show(shown)
        self._arrange(shown)

    def read(self) -> Schedule:
        return Schedule(
            is_cron=self._kind.raw == _CRON,
            cron=str(self._cron.raw),
            zone=str(self._zone.raw),
            every=str(self._every.raw),
            unit=str(self._unit.raw),
            start=str(self._start.raw),
            end=str(self._end.raw),
            catch_up=bool(self._catch_up.raw),
            most=str(self._most.raw),
        )

    def _build(self, start: Schedule) -> None:
        add, change = self._form.add, self._change
        kinds = [(_CRON, "At times"), (_INTERVAL, "At an interval")]
        self._kind = add(
            ChoiceField(
                About("trigger", "Starts"),
                kinds,
                _CRON if start.is_cron else _INTERVAL,
                segments=True,
                change=change,
            )
        )
        preset = start.cron if start.cron in dict(_PRESETS) else _CUSTOM
        self._preset = add(
            ChoiceField(About("preset", "Repeats"), _PRESETS, preset, change=self._take_preset)
        )
        hint = "Six fields: second, minute, hour, day of month, month, day of week"
        about = About("cron", "Cron expression", hint, required=True)
        self._cron = add(TextField(about, start.cron, check=self._cron_problem, change=change, mono=True))
        self._zone = add(ZoneField(About("zone", "Time zone", required=True), start.zone, change=change))
        with ui.element("div").classes("sp-fields-row"):
            about = About("every", "Every", required=True)
            self._every = add(NumberField(about, start.every, whole=True, check=_positive, change=change))
            units = [(each, each) for each in UNITS]
            self._unit = add(ChoiceField(About("unit", "Unit"), units, start.unit, change=change))
        self._words = widgets.paragraph("", "sp-schedule-words")
        self._ticks = Moments("Next ticks")
        with ui.element("div").classes("sp-fields-row"):
            self._start = add(MomentField(About("start", "Not before"), start.start, change=change))
            about = About("end", "Not after")
            self._end = add(MomentField(about, start.end, check=self._end_problem, change=change))
        hint = "Start a run for each tick that was missed while the server was off or this was paused."
        self._catch_up = add(SwitchField(About("catch_up", "Catch up", hint), start.catch_up))
        about = About("most", "Runs at once", "From 1 to 10; further ones wait.", required=True)
        self._most = add(NumberField(about, start.most, whole=True, check=_from_1_to_10))
        self._fields = (self._kind, self._start, self._end, self._catch_up, self._most)

    def _arrange(self, shown: bool = True) -> None:
        is_cron = self._kind.raw == _CRON
        self._preset.show(shown and is_cron)
        self._cron.show(shown and is_cron and self._preset.raw == _CUSTOM)
        self._zone.show(shown and is_cron)
        self._every.show(shown and not is_cron)
        self._unit.show(shown and not is_cron)
        self._tell()

    def _take_preset(self) -> None:
        if self._preset.raw != _CUSTOM:
            self._cron.put(self._preset.raw)
        self._arrange()

    def _change(self) -> None:
        self._arrange()

    def _tell(self) -> None:
        schedule = self.read()
        try:
            trigger = schedule.trigger()
            ticks = schedule.ticks(datetime.now(UTC))
        except (InvalidArgumentError, ValueError):
            self._words.set_text("")
            self._ticks.show([])
            return
        words, zone = schedule_words.when(trigger)
        self._words.set_text(f"{words} ({zone})" if zone else words)
        self._ticks.show(ticks)

    def _cron_problem(self, value: str) -> str:
        try:
            Schedule(cron=value, zone=str(self._zone.raw)).ticks(datetime.now(UTC))
        except InvalidArgumentError as error:
            return error.message.removeprefix("trigger.cron_schedule.cron: ")
        return ""

    def _end_problem(self, value: str) -> str:
        start = str(self._start.raw)
        return "This is before it begins" if value and start and value < start else ""


def _positive(value: int | None) -> str:
    return "" if value is None or value >= 1 else "At least 1"


def _from_1_to_10(value: int | None) -> str:
    return "" if value is None or 1 <= value <= 10 else "From 1 to 10"
