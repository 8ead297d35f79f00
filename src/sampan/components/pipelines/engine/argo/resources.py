"""Resource templates: create, get, apply, patch or delete an object of the cluster, and wait for its condition.

Done by the platform through its client, within the workflow's own namespace.

Source: docs/resource-template.md and workflow/executor/resource.go, argo-workflows v3.7.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from sampan.client.protocol import Client, DeleteOptions, ListOptions, Object, PatchType
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.expressions.functions import from_json, to_json
from sampan.components.pipelines.api.argo.expressions.jsonpath import kubectl, select
from sampan.components.pipelines.api.argo.tags import Variables, substitute
from sampan.components.pipelines.engine.argo.context import ArgoContext
from sampan.components.pipelines.engine.argo.node import ArgoNode
from sampan.components.pipelines.engine.errors import StepError
from sampan.kube import kinds
from sampan.kube.errors import AlreadyExistsError, ApiError, NotFoundError
from sampan.kube.kinds import Resource
from sampan.lib.ids import short_hash
from sampan.lib.threads import Threads

ACTIONS = ("get", "create", "apply", "delete", "replace", "patch")
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 5.0
_TERM = re.compile(r"^\s*(?P<not>!)?\s*(?P<path>[^\s!=<>,()]+)\s*(?:(?P<op>==|=|!=|<=|>=|<|>)\s*(?P<value>[^,()]*?)"
                   r"|\s+(?P<set>in|notin)\s*\((?P<values>[^)]*)\))?\s*$")  # fmt: skip
_PATCHES = {
    "strategic": PatchType.STRATEGIC,
    "merge": PatchType.MERGE,
    "json": PatchType.JSON,
}


@dataclass(frozen=True, slots=True)
class ResourceCall:
    """`turn.Operation`: gives `parameters`, `result` and, where the object failed, `failure`."""

    task_id: str
    action: str
    manifest: str
    flags: tuple[str, ...]
    patch_type: PatchType
    success: str
    failure: str
    owner: Mapping[str, Any] | None
    outputs: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(
        cls, context: ArgoContext, node: ArgoNode, template: Mapping[str, Any], variables: Variables
    ) -> ResourceCall:
        """Raises ArgoError."""
        wanted = substitute(template["resource"], variables)
        action = str(wanted.get("action", ""))
        if action not in ACTIONS:
            raise ArgoError(f"resource.action {action!r} is none of {', '.join(ACTIONS)}")
        strategy = str(wanted.get("mergeStrategy") or "strategic")
        if strategy not in _PATCHES:
            raise ArgoError(f"resource.mergeStrategy {strategy!r} is none of {', '.join(_PATCHES)}")
        return cls(
            task_id=node.id,
            action=action,
            manifest=str(wanted.get("manifest") or ""),
            flags=tuple(str(flag) for flag in wanted.get("flags") or ()),
            patch_type=_PATCHES[strategy],
            success=str(wanted.get("successCondition") or ""),
            failure=str(wanted.get("failureCondition") or ""),
            owner=context.owner if wanted.get("setOwnerReference") else None,
            outputs=tuple((template.get("outputs") or {}).get("parameters") or ()),
        )

    @property
    def name(self) -> str:
        return "resource"

    async def perform(self, client: Client, namespace: str, asking: Threads) -> dict[str, Any]:
        try:
            resource, body, name = await self._target(client, namespace)
            if self.action != "get" and not resource.namespaced:
                # The platform's own rights are not the workflow's.
                raise StepError(
                    f"resource.{self.action}: a workflow may not write objects of kind {resource.kind}"
                )
            if selector := self._selector():
                return await self._act_on_all(client, resource, namespace, selector)
            obj = await self._act(client, resource, namespace, body, name)
            if self.action == "delete":
                return {"parameters": {}, "result": json.dumps(obj or {})}
            assert obj is not None
            obj, failure = await self._wait(client, resource, namespace, obj)
        except ApiError as error:
            raise StepError(f"resource.{self.action}: {error.message}") from None
        except (ArgoError, yaml.YAMLError) as error:
            raise StepError(f"resource: {error}") from None
        return {"parameters": self._parameters(obj), "result": json.dumps(obj), "failure": failure}

    async def _target(self, client: Client, namespace: str) -> tuple[Resource, Any, str]:
        """The kind that is meant, the manifest's content, and the object's name."""
        body = yaml.safe_load(self.manifest) if self.manifest.strip() else None
        if isinstance(body, dict) and body.get("kind"):
            version = str(body.get("apiVersion", ""))
            if version.partition("/")[0] in _NOT_WRITTEN:
                raise StepError(f"resource: a workflow may not write objects of kind {body['kind']}")
            resource = await find_kind(client, version, str(body["kind"]))
            metadata = body.get("metadata") or {}
            elsewhere = metadata.get("namespace")
            if elsewhere and elsewhere != namespace:
                raise StepError(
                    f"resource.manifest: metadata.namespace {elsewhere!r} is not the workflow's own, {namespace}"
                )
            name = str(metadata.get("name") or "")
            if not name and metadata.get("generateName"):
                # Derived from the node: doing it again after a crash finds what was made.
                name = f"{metadata['generateName']}{short_hash(self.task_id, length=5)}"
                body = {**body, "metadata": {**metadata, "name": name}}
            return resource, body, name
        words = self._words()
        if len(words) == 1 and self._selector():
            return await find_kind(client, "", words[0]), body, ""
        if len(words) == 1 and "/" in words[0]:
            words = words[0].split("/", 1)
        if len(words) != 2:
            raise StepError(
                "resource: give a manifest with apiVersion and kind, or the kind and a name as flags"
            )
        return await find_kind(client, "", words[0]), body, words[1]

    def _words(self) -> list[str]:
        """The flags that are no options, nor what belongs to one."""
        words = [word for flag in self.flags for word in flag.split()]
        after = {
            index + 1 for index, word in enumerate(words) if word in ("-l", "--selector", "-n", "--namespace")
        }
        return [word for index, word in enumerate(words) if index not in after and not word.startswith("-")]

    def _selector(self) -> str:
        words = [word for flag in self.flags for word in flag.split()]
        for index, word in enumerate(words):
            if word.startswith("--selector="):
                return word.partition("=")[2]
            if word in ("-l", "--selector"):
                return words[index + 1] if index + 1 < len(words) else ""
        return ""

    async def _act_on_all(
        self, client: Client, resource: Resource, namespace: str, selector: str
    ) -> dict[str, Any]:
        options = ListOptions(label_selector=selector)
        if self.action not in ("get", "delete") or not resource.namespaced:
            raise StepError(f"resource.flags: {self.action} takes no selector here")
        found = (await client.list(resource, namespace, options)).items
        if self.action == "delete":
            await client.delete_collection(resource, namespace, options)
        whole = {"apiVersion": "v1", "kind": "List", "items": found}
        return {"parameters": self._parameters(whole), "result": json.dumps(whole)}

    async def _act(
        self, client: Client, resource: Resource, namespace: str, body: Any, name: str
    ) -> Object | None:
        where = namespace if resource.namespaced else None
        if self.action == "get":
            return await client.get(resource, name, where)
        if self.action == "delete":
            try:
                return await client.delete(resource, name, namespace, DeleteOptions())
            except NotFoundError:
                if "--ignore-not-found=true" in self.flags or "--ignore-not-found" in self.flags:
                    return None
                raise
        if self.action == "patch":
            return await client.patch(resource, name, body, where, patch_type=self.patch_type)
        return await self._write(client, resource, where, self._owned(body, namespace), name)

    async def _write(
        self, client: Client, resource: Resource, where: str | None, body: Any, name: str
    ) -> Object:
        if self.action == "create":
            try:
                return await client.create(resource, body)
            except AlreadyExistsError:
                found = await client.get(resource, name, where)
                if (found["metadata"].get("annotations") or {}).get(_MARK) != self.task_id:
                    raise
                return found
        try:
            found = await client.get(resource, name, where)
        except NotFoundError:
            return await client.create(resource, body)
        if self.action == "replace":
            version = {"resourceVersion": found["metadata"]["resourceVersion"]}
            return await client.replace(resource, {**body, "metadata": {**body["metadata"], **version}})
        return await client.patch(resource, name, body, where, patch_type=_PATCHES["merge"])

    def _owned(self, body: Any, namespace: str) -> Any:
        metadata = dict(body.get("metadata") or {})
        metadata["namespace"] = namespace
        metadata["annotations"] = {**(metadata.get("annotations") or {}), _MARK: self.task_id}
        if self.owner:
            metadata["ownerReferences"] = [*(metadata.get("ownerReferences") or ()), dict(self.owner)]
        return {**body, "metadata": metadata}

    async def _wait(
        self, client: Client, resource: Resource, namespace: str, obj: Object
    ) -> tuple[Object, str]:
        """Until one of the conditions holds; the object as it was then, and why it failed."""
        pause = _FIRST_PAUSE_SECONDS
        name = obj["metadata"]["name"]
        where = namespace if resource.namespaced else None
        while self.success or self.failure:
            if self.failure and holds(self.failure, obj):
                return obj, f"failure condition '{self.failure}' evaluated true"
            if holds(self.success, obj):
                break
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
            obj = await client.get(resource, name, where)
        return obj, ""

    def _parameters(self, obj: Object) -> dict[str, str]:
        found: dict[str, str] = {}
        for item in self.outputs:
            source = item.get("valueFrom") or {}
            name = str(item.get("name"))
            try:
                if source.get("jsonPath"):
                    found[name] = kubectl(obj, str(source["jsonPath"]))
                elif source.get("jqFilter"):
                    found[name] = _jq(obj, str(source["jqFilter"]))
                if not found.get(name) and source.get("default") is not None:
                    found[name] = str(source["default"])
            except ArgoError as error:
                if source.get("default") is None:
                    raise StepError(f'output parameter "{name}": {error.message}') from None
                found[name] = str(source["default"])
        return found


_NOT_WRITTEN = ("rbac.authorization.k8s.io",)
_MARK = "sampan.dev/argo-node"
CUSTOM_RESOURCE_DEFINITIONS = Resource(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)
_BUILT_IN = tuple(value for value in vars(kinds).values() if isinstance(value, Resource))


async def find_kind(client: Client, api_version: str, kind: str) -> Resource:
    """The kind by its name in a manifest, or by one that kubectl takes. Raises StepError, ApiError."""
    wanted = kind.lower()
    for resource in _BUILT_IN:
        if wanted in (resource.kind.lower(), resource.plural, resource.singular, *resource.short_names) and (
            api_version in ("", resource.api_version)
        ):
            return resource
    for definition in (await client.list(CUSTOM_RESOURCE_DEFINITIONS)).items:
        spec = definition.get("spec") or {}
        names = spec.get("names") or {}
        known = (str(names.get("kind", "")).lower(), names.get("plural"), *(names.get("shortNames") or ()))
        versions = [str(item.get("name")) for item in spec.get("versions") or () if item.get("served")]
        version = next((item for item in versions if api_version in ("", f"{spec.get('group')}/{item}")), "")
        if wanted in known and version:
            return Resource(
                group=str(spec.get("group", "")),
                version=version,
                kind=str(names.get("kind")),
                plural=str(names.get("plural")),
                namespaced=spec.get("scope") == "Namespaced",
            )
    raise StepError(
        f"resource: the cluster has no kind {kind!r}" + (f" in {api_version}" if api_version else "")
    )


def holds(condition: str, obj: Any) -> bool:
    """A label selector over paths of the object: `status.succeeded > 2, status.phase = Running`; all must hold."""
    if not condition.strip():
        return False
    return all(_term(term, obj) for term in re.split(r",(?![^(]*\))", condition))


def _term(term: str, obj: Any) -> bool:
    match = _TERM.match(term)
    if match is None:
        raise ArgoError(f"condition {term.strip()!r} cannot be read")
    found, _ = select(obj, match["path"])
    if match["set"]:
        listed = [value.strip() for value in match["values"].split(",")]
        return (bool(found) and _shown(found[0]) in listed) is (match["set"] == "in")
    if match["op"] is None:
        return bool(found) is not bool(match["not"])
    value = match["value"].strip()
    if match["op"] == "!=":
        return not found or _shown(found[0]) != value
    if not found:
        return False
    if match["op"] in ("=", "=="):
        return _shown(found[0]) == value
    try:
        left, right = float(_shown(found[0])), float(value)
    except ValueError:
        return False
    return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[match["op"]]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


_JQ_PATH = re.compile(r"^\.(?:$|[\w\-\[\]\".:]*$)")
_JQ_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "fromjson": from_json,
    "tojson": lambda value: json.dumps(value, separators=(",", ":")),
    "tostring": lambda value: value if isinstance(value, str) else json.dumps(value, separators=(",", ":")),
    "tonumber": float,
    "length": len,
    "keys": sorted,
    "first": lambda value: value[0],
    "last": lambda value: value[-1],
}


def _jq(obj: Any, text: str) -> str:
    """Paths and some functions, one after the other; other filters are refused before a workflow runs."""
    if not is_simple_jq(text):
        raise ArgoError(f"jq filter {text!r} is more than paths and {', '.join(_JQ_FUNCTIONS)}")
    found = [obj]
    for part in (part.strip() for part in text.split("|")):
        if part in _JQ_FUNCTIONS:
            try:
                found = [_JQ_FUNCTIONS[part](item) for item in found]
            except (TypeError, ValueError, LookupError) as error:
                raise ArgoError(f"jq filter {text!r}: {part}: {error}") from None
        elif part != ".":
            found = [item for value in found for item in select(value, part.replace("[]", "[*]"))[0]]
    # Upstream's filter ends what is no text with a line break.
    return "".join(item if isinstance(item, str) else f"{to_json(item)}\n" for item in found)


def is_simple_jq(text: str) -> bool:
    parts = [part.strip() for part in text.split("|")]
    return all(part in _JQ_FUNCTIONS or _JQ_PATH.match(part) for part in parts)
