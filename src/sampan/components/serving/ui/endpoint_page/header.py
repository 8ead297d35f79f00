"""The head of an endpoint's page: its name, how it is, where it is, and what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from nicegui import ui

from sampan.components.serving.api.kinds import (
    INFERENCE_SERVICES,
    LLM_INFERENCE_SERVICES,
    SELDON_DEPLOYMENTS,
    TRAINED_MODELS,
)
from sampan.components.serving.ui import actions, places, states
from sampan.components.serving.ui.endpoint_page.parts import Shown
from sampan.components.serving.ui.summary import Endpoint
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.copied.copied import ORIGIN, Copied
from sampan.ui.table.acting import Action
from sampan.ui.times import told


@dataclass(frozen=True, slots=True)
class _Change:
    hint: str
    query: Mapping[str, str] = field(default_factory=dict)


_CHANGES: Mapping[str, _Change] = {
    INFERENCE_SERVICES.kind: _Change(
        "Another model, other replicas: the next revision, all at once or a part"
    ),
    LLM_INFERENCE_SERVICES.kind: _Change(
        "Another model, adapters, replicas, arguments", {"kind": LLM_INFERENCE_SERVICES.plural}
    ),
}
"""Of the kinds that the form makes."""


class Header:
    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._drawn: Any = None
        self._place = ui.element("div")

    def show(self, shown: Shown) -> None:
        if shown.endpoint != self._drawn:
            self._drawn = shown.endpoint
            self._place.clear()
            with self._place:
                self._build(shown.endpoint)

    def _build(self, endpoint: Endpoint) -> None:
        with ui.element("div").classes("sp-page-header"):
            with ui.element("div").classes("sp-title"):
                widgets.heading(endpoint.name, 1)
                widgets.state(*states.shown(endpoint.state))
            with ui.element("div").classes("sp-actions"):
                self._build_actions(endpoint)
        with ui.element("div").classes("sp-run-facts"):
            self._build_facts(endpoint)
        if address := address_of(endpoint):
            with ui.element("div").classes("sv-address"):
                Copied(address, "address")

    def _build_actions(self, endpoint: Endpoint) -> None:
        page = self._page
        for action in actions.ACTIONS:
            if action.name != "delete" and action.fits(endpoint):
                kind = "primary" if action.name == "start" else ""
                act = partial(self._ask, action, endpoint)
                widgets.button(action.label, act, icon=action.icon, kind=kind)
        if (told := _CHANGES.get(endpoint.kind)) is not None:
            about = {"ns": endpoint.namespace, **told.query}
            change = page.href(places.NEW, change=endpoint.name, **about)
            widgets.explain(widgets.button("Change", icon="tune", href=change), told.hint)
            clone = page.href(places.NEW, clone=endpoint.name, **about)
            widgets.button("Clone", icon="content_copy", href=clone)
        delete = actions.BY_NAME["delete"]
        widgets.button("Delete", partial(self._ask, delete, endpoint), icon="delete", kind="danger")

    def _build_facts(self, endpoint: Endpoint) -> None:
        page = self._page
        with _fact("Kind"):
            widgets.text(endpoint.kind)
        if endpoint.serves:
            with _fact("Serves"):
                widgets.text(endpoint.serves)
        if endpoint.runtime:
            with _fact("Within" if endpoint.kind == TRAINED_MODELS.kind else "Runtime"):
                widgets.link(endpoint.runtime, page.href(_place_of_runtime(endpoint)))
        if endpoint.source:
            with _fact("Model"):
                widgets.text(endpoint.source, "sp-mono")
        if endpoint.kind == INFERENCE_SERVICES.kind:
            with _fact("Mode"):
                widgets.text("Knative" if endpoint.is_knative else "Standard")
        with _fact("Created"):
            told.ago(endpoint.created)
        if endpoint.namespace != page.namespace:
            with _fact("Namespace"):
                widgets.text(endpoint.namespace)

    def _ask(self, action: Action[Endpoint], endpoint: Endpoint) -> None:
        after = (lambda: self._page.go(places.LIST)) if action.name == "delete" else (lambda: None)
        actions.ask(self._page, action, [endpoint], after)


def address_of(endpoint: Endpoint) -> str:
    """Where programs beside the cluster ask it. A SeldonDeployment's status has only the cluster's own address."""
    if endpoint.kind == SELDON_DEPLOYMENTS.kind:
        return f"{ORIGIN}{places.gateway(endpoint.kind, endpoint.namespace, endpoint.name)}"
    return endpoint.url


def _place_of_runtime(endpoint: Endpoint) -> str:
    if endpoint.kind == TRAINED_MODELS.kind:
        return places.endpoint(INFERENCE_SERVICES, endpoint.namespace, endpoint.runtime)
    return places.runtime(endpoint.runtime, "" if endpoint.is_cluster_runtime else endpoint.namespace)


def _fact(name: str) -> Any:
    with ui.element("span").classes("sp-fact") as found:
        widgets.text(name, "sp-muted")
    return found
