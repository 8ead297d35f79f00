"""The panel behind the question mark: what this is, where it is, how programs reach it, and whose window this is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from sampan.dashboard.mounting import Platform
from sampan.dashboard.window import Window
from sampan.ui import widgets

_COPY = "(event) => navigator.clipboard?.writeText(event.currentTarget.parentElement.firstElementChild.textContent)"


def build(window: Window, keys: Callable[[], Any]) -> None:
    """The button and its panel. `keys` shows the shortcuts."""
    platform = window.shared.platform
    button = widgets.icon_button("help_outline", "Help and about", lambda: None)
    button._props["popovertarget"] = "sp-about"
    with ui.element("section").classes("sp-panel") as panel:
        panel._props.update({"popover": "auto", "id": "sp-about", "aria-label": "Help and about"})
        with ui.element("div").classes("sp-row"):
            widgets.heading("Sampan")
            widgets.text(f"version {platform.version}", "sp-muted")
        widgets.pairs(facts(platform, window.api.user.name))
        widgets.heading("From the command line", 3)
        for what, command in commands(platform).items():
            _command(what, command)
        with ui.element("div").classes("sp-row"):
            widgets.button("Keyboard shortcuts", keys, icon="keyboard").props(
                "popovertarget=sp-about popovertargetaction=hide"
            )


def facts(platform: Platform, user: str) -> Mapping[str, str]:
    found = {"You are": user, "Home": platform.home, "Address": platform.url}
    if platform.cluster:
        found["Cluster"] = platform.cluster
    return found


def commands(platform: Platform) -> Mapping[str, str]:
    """What to type to reach the same from elsewhere, by what it is for."""
    found = {
        "Run a pipeline": "sampan run pipeline.py",
        "Pipelines from Python": f'kfp.Client(host="{platform.url}")',
    }
    if not platform.cluster:
        found["kubectl and its like"] = f"export KUBECONFIG={platform.home}/kubeconfig"
    return found


def _command(what: str, command: str) -> None:
    widgets.text(what, "sp-muted sp-small")
    with ui.element("div").classes("sp-command"):
        widgets.Text("code", command)
        button = widgets.icon_button("content_copy", f"Copy: {what}", lambda: None)
        button.on("click", js_handler=_COPY)
