"""`kubernetes` over every built-in kind that is served: all typed calls on one object, answers read into strict models.

    python typed_kinds.py KUBECONFIG

Run in an environment of the client, by `test_official`; imports nothing of ours.
"""

from __future__ import annotations

import inspect
import re
import sys
from dataclasses import dataclass
from typing import Any

from checks import Journey, refused, until
from kubernetes import client, config, watch
from minimal import minimal

journey = Journey(f"kubernetes {client.__version__}")
NAMESPACE = "crud"
WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True)
class Calls:
    """The typed calls of one kind."""

    api: Any
    kind: str
    api_version: str
    namespaced: bool
    subresources: frozenset[str]

    @property
    def words(self) -> str:
        return WORDS.sub("_", self.kind).lower()

    @property
    def where(self) -> tuple[str, ...]:
        return (NAMESPACE,) if self.namespaced else ()

    def method(self, verb: str, after: str = "") -> Any:
        scope = "namespaced_" if self.namespaced else ""
        collection = "collection_" if verb == "delete_collection" else ""
        return getattr(self.api, f"{verb.partition('_')[0]}_{collection}{scope}{self.words}{after}")

    def many(self, verb: str, *body: Any, **options: Any) -> Any:
        """list, create or delete_collection."""
        return self.method(verb)(*self.where, *body, **options)

    def one(self, verb: str, name: str, *body: Any, after: str = "", **options: Any) -> Any:
        """read, replace, patch or delete."""
        return self.method(verb, after)(name, *self.where, *body, **options)


def served() -> list[Calls]:
    found = []
    for name in dir(client):
        if not name.endswith("Api") or name == "CustomObjectsApi":
            continue
        api = getattr(client, name)()
        if not hasattr(api, "get_api_resources"):
            continue
        try:
            listed = api.get_api_resources()
        except client.ApiException as error:
            assert error.status == 404, error
            continue
        resources = {each.name: each for each in listed.resources}
        for plural, each in resources.items():
            if "/" in plural or "list" not in each.verbs:
                continue
            below = frozenset(one.partition("/")[2] for one in resources if one.startswith(f"{plural}/"))
            calls = Calls(api, each.kind, listed.group_version, each.namespaced, below)
            # An older client may know the group's version and not yet the kind.
            if hasattr(api, f"patch_{'namespaced_' if calls.namespaced else ''}{calls.words}"):
                found.append(calls)
    return found


def same(left: Any, right: Any) -> bool:
    return bool(left.metadata.uid == right.metadata.uid)


def one_kind(calls: Calls) -> None:
    body = minimal(calls.api_version, calls.kind)
    name = body["metadata"]["name"]
    refused(lambda: calls.one("read", "absent"), 404, "absent")
    calls.many("create", body, dry_run="All")
    refused(lambda: calls.one("read", name), 404)

    made = calls.many("create", body)
    assert made.metadata.uid
    assert made.metadata.creation_timestamp
    try:
        changed(calls, made)
    finally:
        gone(calls, name)


def changed(calls: Calls, made: Any) -> None:
    name = made.metadata.name
    refused(lambda: calls.many("create", minimal(calls.api_version, calls.kind)), 409, "already exists")
    read = calls.one("read", name)
    assert same(read, made)
    assert type(read) is type(made)
    listed = calls.many("list", label_selector="made=minimal")
    assert [each.metadata.name for each in listed.items] == [name]
    assert listed.metadata.resource_version
    by_name = calls.many("list", field_selector=f"metadata.name={name}")
    assert [each.metadata.uid for each in by_name.items] == [made.metadata.uid]
    if calls.namespaced:
        everywhere = getattr(calls.api, f"list_{calls.words}_for_all_namespaces")(
            label_selector="made=minimal"
        )
        assert [each.metadata.namespace for each in everywhere.items] == [NAMESPACE]

    for value, content_type in (
        ({"metadata": {"labels": {"merge": "1"}}}, "application/merge-patch+json"),
        ({"metadata": {"labels": {"strategic": "1"}}}, "application/strategic-merge-patch+json"),
    ):
        patched = calls.one("patch", name, value, **as_type(calls.api, content_type))
        assert patched.metadata.labels.items() >= value["metadata"]["labels"].items()
    operations = [{"op": "add", "path": "/metadata/labels/json", "value": "1"}]
    assert calls.one("patch", name, operations).metadata.labels["json"] == "1"

    def replaced() -> Any:
        current = calls.one("read", name)
        current.metadata.annotations = {**(current.metadata.annotations or {}), "replaced": "1"}
        try:
            return calls.one("replace", name, current)
        except client.ApiException as error:
            # A controller has written in between.
            if error.status == 409:
                return None
            raise

    assert until(replaced).metadata.annotations["replaced"] == "1"
    stale = calls.one("read", name)
    stale.metadata.resource_version = "1"
    refused(lambda: calls.one("replace", name, stale), 409, "has been modified")

    if "status" in calls.subresources:
        assert same(calls.one("read", name, after="_status"), made)
        value = {"metadata": {"annotations": {"status": "1"}}}
        patched = calls.one("patch", name, value, after="_status")
        assert same(patched, made)
    if "scale" in calls.subresources:
        scale = calls.one("read", name, after="_scale")
        assert scale.spec.replicas in (0, None), scale
        scale = calls.one("patch", name, {"spec": {"replicas": 0}}, after="_scale")
        assert scale.metadata.uid == made.metadata.uid

    events = watch.Watch()
    stream = events.stream(
        calls.method("list"), *calls.where, label_selector="made=minimal", timeout_seconds=10
    )
    first = next(iter(stream))
    events.stop()
    assert (first["type"], first["object"].metadata.uid) == ("ADDED", made.metadata.uid)


def as_type(api: Any, content_type: str) -> dict[str, Any]:
    """The content type of one call: older clients cannot say it, and take their own choice."""
    generated = "_content_type" in inspect.signature(api.api_client.select_header_content_type).parameters
    return {"_content_type": content_type} if generated else {}


def gone(calls: Calls, name: str) -> None:
    if calls.kind == "Pod":
        calls.one("delete", name, grace_period_seconds=0)
    elif calls.kind == "Namespace":
        calls.one("delete", name)
    else:
        calls.many("delete_collection", label_selector="made=minimal")
    until(lambda: absent(calls, name))


def absent(calls: Calls, name: str) -> bool:
    try:
        calls.one("read", name)
    except client.ApiException as error:
        assert error.status == 404, error
        return True
    return False


def main() -> int:
    config.load_kube_config(sys.argv[1])
    core = client.CoreV1Api()
    core.create_namespace({"metadata": {"name": NAMESPACE}})
    until(lambda: core.read_namespaced_service_account("default", NAMESPACE))
    for calls in served():

        def check(calls: Calls = calls) -> None:
            one_kind(calls)

        check.__name__ = f"{calls.api_version} {calls.kind}"
        journey(check)
    return journey.run()


if __name__ == "__main__":
    sys.exit(main())
