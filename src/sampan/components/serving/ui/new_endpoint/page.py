"""`/serving/new`: the form for an endpoint, and beside it the object that it makes, which can be edited instead.

Its address says what it begins with: `kind` (llminferenceservices for a language model), `clone` (one of the namespace
of that kind), `change` (the one that is to become another), `model` and `format` (what is to be served).
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
    LLM_INFERENCE_SERVICES,
    SELDON_DEPLOYMENTS,
    SERVING_RUNTIMES,
    TRAINED_MODELS,
)
from sampan.components.serving.ui import places
from sampan.components.serving.ui.new_endpoint import (
    building,
    language,
    language_fields,
    models_found,
    reading,
)
from sampan.components.serving.ui.new_endpoint.fields import PLACES, Fields, Offered
from sampan.components.serving.ui.new_endpoint.language import Language
from sampan.components.serving.ui.new_endpoint.language_fields import LanguageFields
from sampan.components.serving.ui.new_endpoint.wanted import Size, Wanted
from sampan.kube import meta
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.api import Api, ApiFailureError, segment
from sampan.ui.context import PageContext
from sampan.ui.forms.form import Form
from sampan.ui.objects import copies, following, yamltext
from sampan.ui.objects.making import Fields as BuildFields
from sampan.ui.objects.making import Making, NewObject, Read

_CONFLICT = 409
_MAKING = Making(
    "New endpoint",
    "endpoint",
    kinds=(
        *(INFERENCE_SERVICES, LLM_INFERENCE_SERVICES),
        *(INFERENCE_GRAPHS, SELDON_DEPLOYMENTS, TRAINED_MODELS),
    ),
    collection=places.api,
    page_of=places.endpoint,
    home=places.LIST,
    places=PLACES,
)
_OF_LANGUAGE = replace(_MAKING, title="New language model", places=language_fields.PLACES)
_TO_REVISION = "What is written becomes its next revision; the one that serves goes on until it is ready."
_TO_ANOTHER = "Its pods are replaced by others, one after the other; those that serve go on until they are."


async def build(page: PageContext) -> None:
    is_change = bool(page.query.get("change"))
    is_language = page.query.get("kind") == LLM_INFERENCE_SERVICES.plural
    kind = LLM_INFERENCE_SERVICES if is_language else INFERENCE_SERVICES
    original = await _original(page, kind, page.query.get("change") or page.query.get("clone") or "")
    taken = {meta.name(each) for each in await following.once(page.api, places.KINDS, page.namespace)}
    making = _OF_LANGUAGE if is_language else _MAKING
    if is_change and original is not None:
        seen = meta.generation(original)
        title = f"Change {meta.name(original)}"
        making = replace(making, title=title, replaces=lambda now, made: _changed(seen, now, made))
        page.set_title(title)
        widgets.page_header(title, _TO_ANOTHER if is_language else _TO_REVISION)
    else:
        _build_header(page, making, is_language=is_language)
    new = NewObject(page, making)
    read = language.wanted if is_language else reading.wanted
    start = read(original) if original is not None else _beginning(page, is_language=is_language)
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
        start = replace(start, name=name, namespace=page.namespace)
    if isinstance(start, Language):
        await new.form(await _language_fields(page, start, is_change=is_change))
    else:
        kept = start if is_change else replace(start, canary_percent=None)
        await new.form(await _model_fields(page, kept, is_change=is_change))


async def _model_fields(page: PageContext, start: Wanted, *, is_change: bool) -> BuildFields:
    offered = await _offered(page.api, page.namespace)

    async def build_fields(form: Form, changed: Callable[[], None]) -> Read:
        fields = Fields(form, start, offered, changed, is_change=is_change)
        fields.build()
        return lambda: building.service(fields.read())

    return build_fields


async def _language_fields(page: PageContext, start: Language, *, is_change: bool) -> BuildFields:
    models = await models_found.found(page.api, page.namespace)

    async def build_fields(form: Form, changed: Callable[[], None]) -> Read:
        fields = LanguageFields(form, start, models, changed, is_change=is_change)
        fields.build()
        return lambda: language.service(fields.read())

    return build_fields


def _build_header(page: PageContext, making: Making, *, is_language: bool) -> None:
    """The other form is one click away."""
    with widgets.page_header(making.title, f"In the namespace {page.namespace}."):
        if is_language:
            widgets.button("Another model", icon=places.ICON, href=page.href(places.NEW))
        else:
            href = page.href(places.NEW, kind=LLM_INFERENCE_SERVICES.plural)
            found = widgets.button("A language model", icon="forum", href=href)
            widgets.explain(found, "An LLMInferenceService: OpenAI's API, adapters, vLLM's arguments")


def _beginning(page: PageContext, *, is_language: bool) -> Wanted | Language:
    query = page.query
    if is_language:
        return Language(uri=query.get("model", ""))
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


async def _original(page: PageContext, kind: Resource, name: str) -> Object | None:
    """The one that is cloned or changed."""
    if not name:
        return None
    found = await page.api.get(places.api(kind, page.namespace, name))
    return {**found, "kind": kind.kind, "apiVersion": kind.api_version}


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
