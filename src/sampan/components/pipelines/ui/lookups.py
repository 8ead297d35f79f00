"""Names of what records only have ids of, for links to it. What is gone, or may not be seen, has no name."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sampan.ui.api import Api, ApiFailureError, segment
from sampan.ui.context import PageContext

_KINDS = {
    "pipelines": "/apis/v2beta1/pipelines",
    "experiments": "/apis/v2beta1/experiments",
    "runs": "/apis/v2beta1/runs",
}


async def name_of(api: Api, kind: str, key: str) -> str:
    """`kind` is `pipelines`, `experiments` or `runs`."""
    if not key:
        return ""
    try:
        found = await api.get(f"{_KINDS[kind]}/{segment(key)}")
    except ApiFailureError:
        return ""
    return str(found.get("display_name", ""))


async def options(page: PageContext, kind: str, empty: str, text: str = "") -> Sequence[tuple[str, str]]:
    """Ids and names of the newest, or of those whose name has `text` in it; `empty` stands for none of them."""
    query = {"namespace": page.namespace, "page_size": "50", "sort_by": "created_at desc"}
    if text:
        query["filter"] = substring("name", text)
    found = await page.api.get(_KINDS[kind], query=query)
    key = f"{kind.removesuffix('s')}_id"
    items = [(str(each[key]), str(each["display_name"])) for each in found.get(kind, ())]
    return [*([("", empty)] if empty else []), *items]


def substring(key: str, text: str) -> str:
    """A filter of the API."""
    return json.dumps({"predicates": [{"operation": "IS_SUBSTRING", "key": key, "string_value": text}]})
