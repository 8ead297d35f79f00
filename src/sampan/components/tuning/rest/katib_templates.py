"""Trial templates for Katib's pages: entries of ConfigMaps that carry the label of templates, and of no others.

Source: kubeflow/katib 0.19 pkg/ui/v1beta1/util.go (updateTrialTemplates). Upstream writes into whatever ConfigMap is
named and takes its labels away; here one without the label is refused, and what else a ConfigMap holds stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.client.protocol import Client, ListOptions
from sampan.components.tuning.api import labels
from sampan.components.tuning.api.templates import holds_templates
from sampan.components.tuning.rest import katib_texts
from sampan.components.tuning.rest.place import is_name
from sampan.kube import meta
from sampan.kube.errors import BadRequestError, ForbiddenError, NotFoundError
from sampan.kube.kinds import CONFIG_MAPS
from sampan.kube.meta import Object
from sampan.web.guards import User
from sampan.web.reviews import is_allowed, require

_LABEL = {labels.COMPONENT: labels.TRIAL_TEMPLATES}
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Change:
    """What a request wants of a template."""

    action: str
    """`add`, `edit` or `delete`."""
    namespace: str
    name: str
    path: str
    """The template's key afterwards."""
    yaml: str = ""
    old_path: str = ""
    """Its key before, of `edit`."""


_VERBS = {"add": "create", "edit": "update", "delete": "delete"}


def read_change(action: str, body: Mapping[str, Any]) -> Change:
    """Raises BadRequestError, which names the field."""

    def text(field: str) -> str:
        value = body.get(field)
        if not isinstance(value, str) or not (value or field == "updatedTemplateYaml"):
            raise BadRequestError(f"{field} must be a text")
        return value

    namespace, name = text("updatedConfigMapNamespace"), text("updatedConfigMapName")
    for field, value in (("updatedConfigMapNamespace", namespace), ("updatedConfigMapName", name)):
        if not is_name(value):
            raise BadRequestError(f"{field}: {value[:100]!r} is no name that Kubernetes allows")
    return Change(
        action,
        namespace,
        name,
        text("updatedConfigMapPath"),
        "" if action == "delete" else text("updatedTemplateYaml"),
        text("configMapPath") if action == "edit" else "",
    )


async def change(client: Client, user: User, wanted: Change) -> None:
    """Raises ForbiddenError, NotFoundError, BadRequestError, ApiError."""
    await require(client, user, [(CONFIG_MAPS, "", wanted.name, _VERBS[wanted.action])], wanted.namespace)
    try:
        found = await client.get(CONFIG_MAPS, wanted.name, wanted.namespace)
    except NotFoundError:
        if wanted.action != "add":
            raise
        metadata = {"name": wanted.name, "namespace": wanted.namespace, "labels": _LABEL}
        await client.create(CONFIG_MAPS, {"metadata": metadata, "data": {wanted.path: wanted.yaml}})
        return
    if not holds_templates(found):
        raise ForbiddenError(
            f'the ConfigMap "{wanted.name}" in the namespace "{wanted.namespace}" holds no trial templates: it has no '
            f"label {labels.COMPONENT}={labels.TRIAL_TEMPLATES}"
        )
    data = changed(dict(found.get("data") or {}), wanted)
    verb = "update" if data else "delete"
    await require(client, user, [(CONFIG_MAPS, "", wanted.name, verb)], wanted.namespace)
    if data:
        await client.replace(CONFIG_MAPS, {**found, "data": data})
    else:
        await client.delete(CONFIG_MAPS, wanted.name, wanted.namespace)


def changed(data: dict[str, str], wanted: Change) -> dict[str, str]:
    """Pure. Raises NotFoundError for a template that is not there."""
    gone = {"add": "", "edit": wanted.old_path, "delete": wanted.path}[wanted.action]
    if gone:
        if gone not in data:
            raise NotFoundError(f'the ConfigMap "{wanted.name}" has no template "{gone[:100]}"')
        del data[gone]
    if wanted.action != "delete":
        data[wanted.path] = wanted.yaml
    return data


async def listed(client: Client, user: User) -> list[dict[str, Any]]:
    """Of the namespace of Katib everybody's, of others the user's. Raises ApiError."""
    found: list[Object] = []
    token = ""
    while True:
        options = ListOptions(
            label_selector=f"{labels.COMPONENT}={labels.TRIAL_TEMPLATES}", limit=_PAGE, continue_token=token
        )
        page = await client.list(CONFIG_MAPS, None, options)
        found += page.items
        token = page.continue_token
        if not token:
            break
    shown = [
        each
        for each in found
        if meta.namespace(each) == labels.NAMESPACE
        or await is_allowed(client, user, (CONFIG_MAPS, "", meta.name(each), "get"), meta.namespace(each))
    ]
    return katib_texts.templates_view(shown)
