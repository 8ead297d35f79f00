"""What is done to experiments and trials, with the questions that go before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sampan.components.tuning.ui import places
from sampan.kube import meta
from sampan.ui.api import ApiFailureError
from sampan.ui.context import PageContext
from sampan.ui.table.acting import Acted, Action

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

    async def delete(page: PageContext, name: str) -> None:
        await page.api.delete(places.experiments_api(namespace or page.namespace, name), BACKGROUND)

    action: Action[str] = Action(
        "delete",
        "Delete",
        "delete",
        "deleted",
        fits=lambda name: True,
        act=delete,
        lost=lambda count: (
            "All their trials go with them: what they measured, their logs, and what of them still runs",
        ),
    )
    experiments: Acted[str] = Acted("experiment|experiments", str, str)
    experiments.ask(page, action, names, after)
