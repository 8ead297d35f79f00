"""`/serving/new`: the form for an endpoint, and beside it the object that it makes, which can be edited instead.

Its address says what it begins with: `clone` (an InferenceService of the namespace), `change` (the one that
gets another revision), `model` and `format` (what is to be served).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sampan.components.serving.api import labels
from sampan.components.serving.api.kinds import (
    CLUSTER_SERVING_RUNTIMES,
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    SELDON_DEPLOYMENTS,
    SERVING_RUNTIMES,
    TRAINED_MODELS,
)
from sampan.components.serving.ui import places
from sampan.components.serving.ui.new_endpoint import building, models_found, reading
from sampan.components.serving.ui.new_endpoint.fields import PLACES, Fields, Offered
from sampan.components.serving.ui.new_endpoint.wanted import Size, Wanted
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.api import Api, ApiFailureError, segment
from sampan.ui.context import PageContext
from sampan.ui.forms.form import Form
from sampan.ui.objects import copies, following, yamltext
from sampan.ui.objects.making import Making, NewObject, Read

_CONFLICT = 409
_MAKING = Making(
    "New endpoint",
    "endpoint",
    kinds=(INFERENCE_SERVICES, INFERENCE_GRAPHS, SELDON_DEPLOYMENTS, TRAINED_MODELS),
    collection=places.api,
    page_of=places.endpoint,
    home=places.LIST,
    places=PLACES,
)


async def build(page: PageContext) -> None:
    is_change = bool(page.query.get("change"))
    original = await _original(page, page.query.get("change") or page.query.get("clone") or "")
    taken = {meta.name(each) for each in await following.once(page.api, places.KINDS, page.namespace)}
    making = _MAKING
    if is_change and original is not None:
        seen = meta.generation(original)
        title = f"Change {meta.name(original)}"
        making = replace(_MAKING, title=title, replaces=lambda now, made: _changed(seen, now, made))
        page.set_title(title)
        widgets.page_header(
            title, "What is written becomes its next revision; the one that serves goes on until it is ready."
        )
    else:
        widgets.page_header(making.title, f"In the namespace {page.namespace}.")
    new = NewObject(page, making)
    start = reading.wanted(original) if original is not None else _beginning(page)
    if start is None and original is not None:
        # It has what the form has no field for.
        name = meta.name(original) if is_change else copies.next_name(meta.name(original), taken)
        # A clone of what is stopped runs.
        notes = () if is_change else (labels.STOP,)
        new.edit(yamltext.dump(copies.copy_of(original, name, notes)))
        return
    start = start or Wanted()
    if not is_change:
        name = copies.next_name(start.name or "model", taken)
        start = replace(start, name=name, namespace=page.namespace, canary_percent=None)
    offered = await _offered(page.api, page.namespace)
    chosen = start

    async def build_fields(form: Form, changed: Callable[[], None]) -> Read:
        fields = Fields(form, chosen, offered, changed, is_change=is_change)
        fields.build()
        return lambda: building.service(fields.read())

    await new.form(build_fields)


def _beginning(page: PageContext) -> Wanted:
    query = page.query
    return Wanted(
        format=query.get("format") or "sklearn", uri=query.get("model", ""), size=Size(least=0, most=2)
    )


def _changed(seen: int, now: Object, made: Object) -> Object:
    """What its controller has noted of it meanwhile stays; what somebody else wants of it is not lost."""
    if meta.generation(now) != seen:
        raise ApiFailureError(
            _CONFLICT, "Somebody has changed it since this page was opened: load the page again."
        )
    return building.changed(now, made)


async def _original(page: PageContext, name: str) -> Object | None:
    """The one that is cloned or changed."""
    if not name:
        return None
    found = await page.api.get(places.api(INFERENCE_SERVICES, page.namespace, name))
    return {**found, "kind": INFERENCE_SERVICES.kind, "apiVersion": INFERENCE_SERVICES.api_version}


async def _offered(api: Api, namespace: str) -> Offered:
    core = f"/api/v1/namespaces/{segment(namespace)}"
    return Offered(
        await _listed(api, places.api(SERVING_RUNTIMES, namespace)),
        await _listed(api, CLUSTER_SERVING_RUNTIMES.path()),
        await models_found.found(api, namespace),
        [meta.name(each) for each in await _listed(api, f"{core}/persistentvolumeclaims")],
        [meta.name(each) for each in await _listed(api, f"{core}/serviceaccounts")],
    )


async def _listed(api: Api, path: str) -> Any:
    """Nothing where it may not be seen."""
    try:
        return (await api.get(path)).get("items") or []
    except ApiFailureError:
        return []
