"""What a new experiment may choose: ranges of parameters, or how networks may be built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from sampan.components.tuning.ui import template_text
from sampan.components.tuning.ui.new_experiment.ranges import Ranges
from sampan.components.tuning.ui.new_experiment.wanted import Wanted
from sampan.ui.forms.fields import About, ChoiceField, TextField
from sampan.ui.forms.form import Form

_PARAMETERS, _NETWORK = "parameters", "network"
_TO_BEGIN = """graphConfig:
  numLayers: 4
  inputSizes: [32, 32, 3]
  outputSizes: [10]
operations:
  - operationType: convolution
    parameters:
      - name: filter_size
        parameterType: categorical
        feasibleSpace:
          list: ["3", "5"]
      - name: num_filter
        parameterType: categorical
        feasibleSpace:
          list: ["32", "64"]
  - operationType: reduction
    parameters:
      - name: reduction_type
        parameterType: categorical
        feasibleSpace:
          list: [max_pooling, avg_pooling]
"""


class SpaceFields:
    def __init__(self, form: Form, start: Wanted, changed: Callable[[], Any]) -> None:
        self._changed = changed
        kinds = [(_PARAMETERS, "Values of parameters"), (_NETWORK, "The architecture of a network")]
        chosen = _NETWORK if start.network else _PARAMETERS
        about = About("space", "It searches for")
        self._kind = form.add(ChoiceField(about, kinds, chosen, segments=True, change=self._switch))
        self._ranges = Ranges(start.ranges, form, changed)
        with ui.element("div").classes("sp-form"):
            hint = "Katib's nasConfig. The algorithms enas and darts search in it."
            self._network = form.add(
                TextField(
                    About("network", "How it may be built", hint, required=True),
                    start.network or _TO_BEGIN,
                    lines=16,
                    mono=True,
                    check=_problem,
                    change=changed,
                )
            )
        self._arrange()

    @property
    def is_network(self) -> bool:
        return str(self._kind.read()) == _NETWORK

    def names(self) -> list[str]:
        """Of the parameters."""
        return [] if self.is_network else [each.name for each in self._ranges.read() if each.name]

    def read(self) -> dict[str, Any]:
        """Of `Wanted`."""
        if self.is_network:
            return {"ranges": (), "network": str(self._network.read())}
        return {"ranges": tuple(each for each in self._ranges.read() if each.name), "network": ""}

    def _switch(self) -> None:
        self._arrange()
        self._changed()

    def _arrange(self) -> None:
        self._ranges.show(not self.is_network)
        self._network.show(self.is_network)


def _problem(text: Any) -> str:
    try:
        found = template_text.parsed(str(text))
    except ValueError as error:
        return str(error)
    return "" if "graphConfig" in found and "operations" in found else "It has a graphConfig and operations"
