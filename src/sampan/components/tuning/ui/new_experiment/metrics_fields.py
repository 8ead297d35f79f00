"""Where a new experiment's metrics are found: fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from sampan.components.tuning.ui import template_text
from sampan.components.tuning.ui.new_experiment.wanted import COLLECTORS, FILE, FOLDER, Collected
from sampan.ui.forms.fields import About, ChoiceField, NumberField, TextField
from sampan.ui.forms.form import Form

_KINDS = {
    "StdOut": "StdOut: in what the program prints",
    "File": "File: in a file that it writes",
    "TensorFlowEvent": "TensorFlowEvent: in TensorBoard's files",
    "PrometheusMetric": "PrometheusMetric: asked for over HTTP",
    "Push": "Push: the program reports them itself",
    "Custom": "Custom: by a container of yours, which reports them",
    "None": "None: nothing is collected",
}
_PATHS = {
    "File": ("File", "Usually /var/log/katib/metrics.log."),
    "TensorFlowEvent": ("Folder", "Usually /var/log/katib/tfevent/."),
    "PrometheusMetric": ("Path", "Usually /metrics."),
    "Custom": ("File or folder", "Where the program writes what the container reads, if anywhere."),
}
_FILTERED = ("StdOut", "File", "Custom")
_CONTAINER = """name: collector
image: registry.example/collector:1
args: [--path=/out/metrics.log]
"""
_MOST_PORT = 65535


class MetricsFields:
    def __init__(self, form: Form, start: Collected, changed: Callable[[], Any]) -> None:
        self._changed = changed
        self._start = start
        options = [(each, _KINDS[each]) for each in COLLECTORS]
        about = About("collector", "Metrics are found")
        self._kind = form.add(ChoiceField(about, options, start.kind, change=self._switch))
        with ui.element("div").classes("sp-fields-row"):
            self._path = form.add(TextField(About("path", "Place"), start.path, mono=True, change=changed))
            formats = [("TEXT", "TEXT: loss=0.1"), ("JSON", 'JSON: {"loss": 0.1}')]
            about = About("format", "Its lines are")
            self._format = form.add(ChoiceField(about, formats, start.format, change=changed))
            port = "" if start.port is None else str(start.port)
            about = About("port", "Port", "Usually 8080.")
            self._port = form.add(NumberField(about, port, whole=True, check=_port_problem, change=changed))
            about = About("place kind", "That is")
            kinds = [(FILE, "a file"), (FOLDER, "a folder")]
            self._place = form.add(ChoiceField(about, kinds, start.place, change=changed))
        hint = "It runs beside the program, and learns the trial's name from KATIB_TRIAL_NAME."
        about = About("custom", "Container", hint, required=True)
        self._container = form.add(
            TextField(
                about,
                start.container or _CONTAINER,
                lines=5,
                mono=True,
                check=_container_problem,
                change=changed,
            )
        )
        about = About(
            "filters",
            "Patterns",
            "Regular expressions of a name and a value, one on each line. Usually NAME=VALUE.",
        )
        self._filters = form.add(
            TextField(about, "\n".join(start.filters), lines=2, mono=True, change=changed)
        )
        self._arrange()

    def read(self) -> Collected:
        kind = str(self._kind.read())
        lines = str(self._filters.read()).splitlines()
        port = self._port.read() if kind == "PrometheusMetric" else None
        return Collected(
            kind,
            str(self._path.read()).strip() if kind in _PATHS else "",
            str(self._format.read()) if kind == "File" else "TEXT",
            None if port is None else int(port),
            tuple(each for each in lines if each.strip()) if kind in _FILTERED else (),
            str(self._container.read()) if kind == "Custom" else "",
            str(self._place.read()) if kind == "Custom" else FILE,
        )

    def _switch(self) -> None:
        self._arrange()
        self._changed()

    def _arrange(self) -> None:
        kind = str(self._kind.read())
        self._path.show(kind in _PATHS)
        self._format.show(kind == "File")
        self._port.show(kind == "PrometheusMetric")
        self._filters.show(kind in _FILTERED)
        self._place.show(kind == "Custom")
        self._container.show(kind == "Custom")


def _port_problem(port: Any) -> str:
    return "" if port is None or 0 < port <= _MOST_PORT else f"Write a number from 1 to {_MOST_PORT}"


def _container_problem(text: Any) -> str:
    try:
        found = template_text.parsed(str(text))
    except ValueError as error:
        return str(error)
    return "" if found.get("name") and found.get("image") else "A container has a name and an image"
