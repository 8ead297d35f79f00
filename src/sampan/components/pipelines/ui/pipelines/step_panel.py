"""What one task of a pipeline does, beside the graph and the list of tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nicegui import ui

from sampan.components.pipelines.ui.spec.step import Slot, Step
from sampan.ui import widgets
from sampan.ui.code.view import CodeView


def build(step: Step, close: Callable[[], None]) -> None:
    """Fills the current place."""
    with ui.element("div").classes("sp-step-head"):
        widgets.heading(step.name)
        widgets.icon_button("close", "Close", close)
    details(step)


def details(step: Step) -> None:
    """What it runs, without its name."""
    values = {"Kind": step.kind}
    if step.component and step.component != step.name:
        values["Component"] = step.component
    if step.image:
        values["Image"] = step.image
    values.update(step.facts)
    if step.after:
        values["After"] = ", ".join(step.after)
    widgets.pairs({name: _value(text) for name, text in values.items()})
    _slots("Inputs", step.inputs)
    _slots("Outputs", step.outputs)
    if step.env:
        widgets.heading("Environment", 3)
        widgets.pairs({name: value or "(empty)" for name, value in step.env})
    if step.code:
        widgets.heading("Code", 3)
        CodeView(step.code, label=f"Code of {step.name}", language="python", height="420px")
    _words("Command", [word for word in step.command if word.strip("\n") != step.code])
    _words("Arguments", [word for word in step.args if word.strip("\n") != step.code])


def _value(text: str) -> str | Callable[[], None]:
    return lambda: _mono(text)


def _mono(text: str) -> None:
    widgets.text(text, "sp-mono sp-pre")


def _slots(title: str, slots: Sequence[Slot]) -> None:
    if not slots:
        return
    widgets.heading(title, 3)
    with ui.element("ul").classes("sp-slots"):
        for each in slots:
            with ui.element("li"):
                widgets.text(each.name, "sp-mono")
                widgets.text(each.type, "sp-tag")
                if each.origin:
                    widgets.text(each.origin, "sp-muted sp-small")


def _words(title: str, words: Sequence[str]) -> None:
    if words:
        widgets.heading(title, 3)
        CodeView("\n".join(words), label=title, height="260px", numbers=False)
