"""What the cluster has, by its discovery, and by which names it is found."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sampan.dashboard.kubernetes.kinds import Catalogue, Kind, find, of_aggregated, of_list, spaced
from sampan.ui.api import ApiFailureError

PODS = Kind("", "v1", "pods", "Pod", True, frozenset({"list"}), ("po",), frozenset({"log"}), "pod")
DEPLOYMENTS = Kind("apps", "v1", "deployments", "Deployment", True, short_names=("deploy",))
WORKFLOWS = Kind("argoproj.io", "v1alpha1", "workflows", "Workflow", True, short_names=("wf", "po"))
NODES = Kind("", "v1", "nodes", "Node", False)


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue([WORKFLOWS, PODS, DEPLOYMENTS, NODES])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("pods", PODS),
        ("po", PODS),
        ("Pod", PODS),
        ("deploy", DEPLOYMENTS),
        ("deployments.apps", DEPLOYMENTS),
        ("workflows.argoproj.io", WORKFLOWS),
        ("wf", WORKFLOWS),
        ("nothing", None),
    ],
)
def test_a_kind_is_found_by_every_name_that_kubectl_takes(
    catalogue: Catalogue, name: str, kind: Kind | None
) -> None:
    assert catalogue.lookup(name) == kind


def test_a_kind_knows_its_paths_in_the_api_and_among_our_pages() -> None:
    assert PODS.path() == "/api/v1/pods"
    assert PODS.path("a", "b", "log") == "/api/v1/namespaces/a/pods/b/log"
    assert WORKFLOWS.path("a") == "/apis/argoproj.io/v1alpha1/namespaces/a/workflows"
    assert NODES.path("a", "n") == "/api/v1/nodes/n"
    assert WORKFLOWS.page("a", "b") == "/cluster/workflows.argoproj.io/a/b"
    assert NODES.page("", "n/../m") == "/cluster/nodes/n%2F..%2Fm"


def test_a_reference_in_an_older_version_is_of_the_same_kind(catalogue: Catalogue) -> None:
    assert catalogue.of("apps/v1beta2", "Deployment") == DEPLOYMENTS
    assert catalogue.of("v1", "Deployment") is None


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("PersistentVolumeClaim", "Persistent volume claim"),
        ("CSIDriver", "CSI driver"),
        ("APIService", "API service"),
        ("ConfigMap", "ConfigMap"),
        ("Pod", "Pod"),
    ],
)
def test_kinds_are_written_as_people_do(kind: str, text: str) -> None:
    assert spaced(kind) == text


def test_plurals() -> None:
    assert Kind("", "v1", "endpoints", "Endpoints", True).label == "Endpoints"
    assert Kind("n", "v1", "networkpolicies", "NetworkPolicy", True).label == "Network policies"
    assert Kind("n", "v1", "ingresses", "Ingress", True).label == "Ingresses"


def test_both_forms_of_discovery_say_the_same() -> None:
    aggregated = {
        "kind": "APIGroupDiscoveryList",
        "items": [
            {
                "metadata": {"name": "batch"},
                "versions": [
                    {"version": "v1", "resources": [_discovered("jobs", "Job", "v1")]},
                    {
                        "version": "v1beta1",
                        "resources": [
                            _discovered("jobs", "Job", "v1beta1"),
                            _discovered("old", "Old", "v1beta1"),
                        ],
                    },
                ],
            }
        ],
    }
    listed = {
        "resources": [
            {"name": "jobs", "kind": "Job", "namespaced": True, "verbs": ["list"], "shortNames": ["j"]},
            {"name": "jobs/status", "kind": "Job", "namespaced": True, "verbs": ["get"]},
        ]
    }
    job, old = of_aggregated(aggregated)
    assert (job.version, old.version) == ("v1", "v1beta1")
    assert of_list("batch", "v1", listed) == [job]


def test_a_server_without_aggregated_discovery_is_asked_group_by_group() -> None:
    answers: dict[str, Any] = {
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/api/v1": {"resources": [{"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["list"]}]},
        "/apis": {
            "kind": "APIGroupList",
            "groups": [
                {"name": name, "preferredVersion": {"version": "v1"}}
                for name in ("apps", "away", "metrics.k8s.io")
            ],
        },
        "/apis/apps/v1": {
            "resources": [{"name": "deployments", "kind": "Deployment", "verbs": ["get", "list"]}]
        },
        "/apis/metrics.k8s.io/v1": {"resources": [{"name": "pods", "kind": "PodMetrics", "verbs": ["list"]}]},
    }

    class FakeApi:
        async def get(self, path: str, query: Any = None, accept: str = "") -> Any:
            if path not in answers:
                raise ApiFailureError(503, "away")
            return answers[path]

    catalogue = asyncio.run(find(FakeApi()))  # type: ignore[arg-type]
    assert sorted(catalogue.kinds) == ["deployments", "pods"]


def _discovered(plural: str, kind: str, version: str) -> object:
    return {
        "resource": plural,
        "responseKind": {"group": "batch", "version": version, "kind": kind},
        "scope": "Namespaced",
        "verbs": ["list"],
        "shortNames": ["j"],
        "subresources": [{"subresource": "status"}],
    }
