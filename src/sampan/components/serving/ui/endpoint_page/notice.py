"""Below an endpoint's head: why it is not ready, what its pods lack, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from sampan.components.serving.api.summary import State
from sampan.components.serving.ui.endpoint_page.parts import Shown
from sampan.kube import meta
from sampan.ui import widgets
from sampan.ui.objects import health

Said = tuple[str, str, str, str]
"""Tone, title, text, hint."""
_ICONS = {"bad": "error", "warn": "warning", "idle": "info"}


class Notice:
    def __init__(self) -> None:
        self._drawn: Sequence[Said] = ()
        self._place = ui.element("div").props('role="status"')

    def show(self, shown: Shown) -> None:
        told = notices(shown)
        if told == self._drawn:
            return
        self._drawn = told
        self._place.clear()
        with self._place:
            for tone, title, text, hint in told:
                with ui.element("section").classes(f"sp-notice sp-tone-{tone}") as found:
                    found._props["aria-label"] = title
                    with ui.element("div").classes("sp-notice-head"):
                        ui.icon(_ICONS.get(tone, "info")).props("aria-hidden=true")
                        widgets.heading(title)
                    if text:
                        widgets.paragraph(text, "sp-pre")
                    if hint:
                        widgets.paragraph(hint, "sp-muted")


def notices(shown: Shown) -> list[Said]:
    """Pure."""
    endpoint = shown.endpoint
    troubles = _of_pods(shown)
    match endpoint.state:
        case State.FAILED:
            hint = "" if troubles else "Its YAML can be edited; it is tried again after each change."
            return [("bad", "It does not start", endpoint.why, hint), *troubles]
        case State.STARTING:
            waits = [("idle", "What it waits for", endpoint.why, "")] if endpoint.why else []
            return [*waits, *troubles]
        case State.READY | State.ASLEEP if endpoint.why:
            return [("warn", "Its newest revision gets no requests", endpoint.why, "")]
        case _:
            return []


def _of_pods(shown: Shown) -> list[Said]:
    """What is wrong with the newest that has trouble."""
    for pod in shown.pods:
        found = health.of(pod)
        if found is not None and found.is_trouble:
            why = shown.endpoint.why
            if why and (why.partition(": ")[2] or why) in found.why:
                # It is said already.
                return []
            return [(found.tone, f"Pod {meta.name(pod)}: {found.word}", found.why, found.hint)]
    return []
