"""What is done to experiments and trials, with the questions that go before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from sampan.components.tuning.ui import places
from sampan.kube import meta
from sampan.ui import widgets, words
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext

MERGE = "application/merge-patch+json"
MOST_NAME = 40
"""Characters of an experiment's name. Source: kubeflow/katib 0.19 pkg/webhook/v1beta1/experiment/validator."""
BACKGROUND = {"propagationPolicy": "Background"}


async def taken_names(page: PageContext) -> set[str]:
    try:
        found = await page.api.get(places.experiments_api(page.namespace))
    except ApiFailureError:
        return set()
    return {meta.name(each) for each in found.get("items") or ()}


def ask_delete(
    page: PageContext, names: Sequence[str], after: Callable[[], Any], namespace: str = ""
) -> None:
    """Experiments of the page's namespace, or of another."""
    namespace = namespace or page.namespace
    count = words.counted(len(names), "experiment|experiments")

    async def go() -> None:
        failures: dict[str, str] = {}
        for name in names:
            try:
                await page.api.delete(places.experiments_api(namespace, name), BACKGROUND)
            except ApiFailureError as error:
                failures[name] = error.message
        done = len(names) - len(failures)
        said = f"{words.counted(done, 'experiment|experiments')} deleted." if done else ""
        # Asked again at once, as after any change.
        await page.attempt(_nothing(), done=said)
        if failures:
            _tell("Some experiments were not deleted", failures)
        after()

    lost = [
        *words.listed(list(names)),
        "All their trials go with them: what they measured, their logs, and what of them still runs",
    ]
    widgets.confirm(f"Delete {count}?", lost, go, label=f"Delete {count}")


async def _nothing() -> None:
    """What was done is done; the page's `attempt` says so to whatever is live."""


def _tell(title: str, failures: Mapping[str, str]) -> None:
    window, content = widgets.dialog(title)
    with content:
        widgets.pairs(failures)
        with ui.element("div").classes("sp-dialog-actions"):
            widgets.button("Close", window.close, kind="primary")
