"""Experiments in the global search: by name, or by id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sampan.components.pipelines.ui.experiments import actions, rows
from sampan.ui.api import Api, ApiFailureError
from sampan.ui.contract import Hit

_MOST = 10
_ID_CHARACTERS = 36


async def search(api: Api, namespace: str, text: str) -> Sequence[Hit]:
    query = {"namespace": namespace, "page_size": str(_MOST), "sort_by": "last_run_created_at desc"}
    found = []
    for archived in (False, True):
        asked = {**query, "filter": rows.filter_of(text, archived=archived)}
        found += (await api.get(actions.BASE, asked)).get("experiments", ())
    if len(text) == _ID_CHARACTERS:
        try:
            found.append(await api.get(actions.path_of(text)))
        except ApiFailureError as error:
            if error.status not in (403, 404):
                raise
    return [_hit(each) for each in found[:_MOST]]


def _hit(found: Any) -> Hit:
    detail = "archived" if rows.is_archived(found) else found.get("description", "").partition("\n")[0][:80]
    return Hit(
        "Experiment", found["display_name"], f"/experiments/{found['experiment_id']}", "science", detail
    )
