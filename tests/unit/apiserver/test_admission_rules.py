"""Which writes the rules of webhooks and policies are about."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.cluster.apiserver.admission.dynamic.matching import Matcher, is_exempt
from sampan.cluster.apiserver.admission.dynamic.subject import Objects, Subject
from sampan.kube.kinds import NAMESPACES, NODES, PODS, Resource
from sampan.web.guards import User

V1 = Resource("example.com", "v1", "Boat", "boats")
V2 = Resource("example.com", "v2", "Boat", "boats")


def subject(resource: Resource = PODS, operation: str = "CREATE", subresource: str = "") -> Subject:
    namespace = "default" if resource.namespaced else ""
    name = "n"
    if resource == NAMESPACES:
        namespace = name
    return Subject(operation, resource, namespace, name, User("u"), subresource)


def rule(resources: str = "*", **more: Any) -> dict[str, Any]:
    return {
        "apiGroups": ["*"],
        "apiVersions": ["*"],
        "operations": ["*"],
        "resources": [resources],
        "scope": "*",
        **more,
    }


@pytest.mark.parametrize(
    ("found", "wanted", "matches"),
    [
        (rule(), subject(), True),
        (rule(), subject(subresource="status"), False),
        (rule("*/*"), subject(subresource="status"), True),
        (rule("*/*"), subject(), True),
        (rule("pods/*"), subject(), True),
        (rule("pods/*"), subject(subresource="exec"), True),
        (rule("*/status"), subject(subresource="status"), True),
        (rule("*/status"), subject(), False),
        (rule("pods"), subject(subresource="log"), False),
        (rule("pods"), subject(NODES), False),
        (rule(operations=["UPDATE", "DELETE"]), subject(), False),
        (rule(operations=["UPDATE", "DELETE"]), subject(operation="DELETE"), True),
        (rule(apiGroups=[""]), subject(V1), False),
        (rule(apiVersions=["v2"]), subject(), False),
        (rule(scope="Namespaced"), subject(), True),
        (rule(scope="Namespaced"), subject(NODES), False),
        (rule(scope="Namespaced"), subject(NAMESPACES), False),
        (rule(scope="Cluster"), subject(NAMESPACES), True),
        (rule(scope="Cluster"), subject(NODES), True),
        (rule(scope="Cluster"), subject(), False),
        (rule(resourceNames=["other"]), subject(), False),
        (rule(resourceNames=["n"]), subject(), True),
    ],
)
def test_rules(found: dict[str, Any], wanted: Subject, *, matches: bool) -> None:
    matcher = Matcher.of({"matchPolicy": "Exact"}, [found])
    assert (matcher.resource(wanted, lambda _: ()) is not None) is matches


def test_another_version_counts_where_it_is_equivalent() -> None:
    rules = [rule("boats", apiGroups=["example.com"], apiVersions=["v2"])]
    assert Matcher.of({}, rules).resource(subject(V1), lambda _: [V2]) == V2
    assert Matcher.of({}, rules).resource(subject(V2), lambda _: [V1]) == V2
    assert Matcher.of({"matchPolicy": "Exact"}, rules).resource(subject(V1), lambda _: [V2]) is None


def test_excluded_rules_come_first() -> None:
    matcher = Matcher.of({}, [rule()], [rule("pods")])
    assert matcher.resource(subject(), lambda _: ()) is None
    assert matcher.resource(subject(NODES), lambda _: ()) == NODES


def test_a_namespace_is_selected_by_its_own_labels() -> None:
    matcher = Matcher.of({"namespaceSelector": {"matchLabels": {"a": "b"}}}, [rule()])
    new = {"metadata": {"name": "n", "labels": {"a": "b"}}}
    assert matcher.selects(subject(NAMESPACES), Objects(new, None), lambda _: None)
    assert not matcher.selects(subject(NAMESPACES, "DELETE"), Objects(None, new), lambda _: None)
    assert matcher.selects(subject(NODES), Objects({"metadata": {}}, None), lambda _: None)
    assert not matcher.selects(subject(), Objects({"metadata": {}}, None), lambda _: {"metadata": {}})


def test_either_object_is_selected() -> None:
    matcher = Matcher.of({"objectSelector": {"matchLabels": {"a": "b"}}}, [rule()])
    marked, plain = {"metadata": {"labels": {"a": "b"}}}, {"metadata": {}}
    assert matcher.selects(subject(), Objects(plain, marked), lambda _: None)
    assert matcher.selects(subject(), Objects(marked, None), lambda _: None)
    assert not matcher.selects(subject(), Objects(plain, plain), lambda _: None)


def test_what_configures_admission_is_exempt() -> None:
    assert is_exempt(Resource("admissionregistration.k8s.io", "v1", "X", "validatingwebhookconfigurations"))
    assert not is_exempt(PODS)
