"""What pages of objects say, and what they do not say before they are asked."""

from __future__ import annotations

import base64
import json
from typing import Any

from sampan.dashboard.kubernetes import actions, dependents, description, hiding, quotas, related
from sampan.dashboard.kubernetes.described import Around, Description
from sampan.dashboard.kubernetes.kinds import Catalogue, Kind
from sampan.ui.objects import pod_logs

PODS = Kind("", "v1", "pods", "Pod", True)
KINDS = (
    PODS,
    Kind("", "v1", "nodes", "Node", False),
    Kind("", "v1", "secrets", "Secret", True),
    Kind("", "v1", "services", "Service", True),
    Kind("", "v1", "persistentvolumes", "PersistentVolume", False),
    Kind("apps", "v1", "replicasets", "ReplicaSet", True),
    Kind("apps", "v1", "deployments", "Deployment", True),
    Kind("batch", "v1", "jobs", "Job", True),
)
CATALOGUE = Catalogue(KINDS)


def _around(**more: Any) -> Around:
    return Around(CATALOGUE, lambda path, **query: f"/ui{path}", **more)


def _said(found: Description) -> dict[str, Any]:
    return {each.name: list(each.values) for section in found.sections for each in section.facts}


POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "p",
        "namespace": "n",
        "labels": {"pipeline/runid": "r1"},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "u"}],
    },
    "spec": {
        "nodeName": "vm",
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}],
        "initContainers": [{"name": "init", "image": "i"}],
        "containers": [
            {
                "name": "main",
                "image": "a:1",
                "env": [
                    {"name": "DB_PASSWORD", "value": "canary"},
                    {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                    {"name": "MODE", "value": "test"},
                ],
                "resources": {"requests": {"memory": "64Mi"}, "limits": {"memory": "128Mi"}},
                "readinessProbe": {"httpGet": {"path": "/ok", "port": 80}},
            }
        ],
    },
    "status": {
        "phase": "Running",
        "containerStatuses": [
            {"name": "main", "ready": True, "restartCount": 2, "state": {"running": {}}},
        ],
    },
}


def test_a_pods_page() -> None:
    metrics = {"containers": [{"name": "main", "usage": {"memory": "10Mi", "cpu": "5m"}}]}
    found = description.of(POD, _around(related={"metrics": metrics}))
    said = _said(found)
    assert said["Run"] == [{"t": "link", "text": "r1", "href": "/ui/runs/r1", "second": "", "icon": ""}]
    assert said["Belongs to"][0]["href"] == "/ui/cluster/replicasets/n/rs"
    assert said["Node"][0]["href"] == "/ui/cluster/nodes/vm"
    assert said["TOKEN"][1]["href"] == "/ui/cluster/secrets/n/s"
    (grid,) = found.grids
    init, main = grid.rows
    assert init.cells["name"]["second"] == "i, before the others"
    assert main.cells["memory"] == {
        "t": "lines",
        "text": "10 MiB used",
        "second": "asks for 64 MiB, at most 128 MiB",
    }
    assert main.cells["probes"]["text"] == "readiness: GET /ok on 80"


def test_a_variable_that_sounds_secret_is_hidden_until_asked_for() -> None:
    assert "canary" not in json.dumps(_said(description.of(POD, _around())))
    shown = _said(description.of(POD, _around(revealed=frozenset({"main/DB_PASSWORD"}))))
    assert shown["DB_PASSWORD"][0]["text"] == "canary"


def test_a_secrets_values_are_hidden_one_by_one() -> None:
    encoded = base64.b64encode(b"canary").decode()
    secret = {
        "kind": "Secret",
        "metadata": {"name": "s", "annotations": {hiding.LAST_APPLIED: json.dumps({"data": encoded})}},
        "data": {"a": encoded, "b": encoded},
    }
    hidden = json.dumps(_said(description.of(secret, _around())))
    assert "canary" not in hidden
    assert encoded not in hidden
    said = _said(description.of(secret, _around(revealed=frozenset({"a"}))))
    assert said["a"][0]["text"] == "canary"
    assert said["b"][0]["text"] is None
    assert said["b"][0]["size"] == "6 bytes"
    assert encoded not in json.dumps(hiding.without_secrets(secret))
    assert secret["data"]["a"] == encoded  # type: ignore[index]


def test_names_that_sound_secret() -> None:
    assert all(map(hiding.sounds_secret, ("PASSWORD", "AWS_SECRET_ACCESS_KEY", "api_key", "GITHUB_TOKEN")))
    assert not any(map(hiding.sounds_secret, ("MODE", "TOKEN_FILE", "KEYBOARD", "SECRET_NAME")))


def test_a_service_without_ready_pods_says_so() -> None:
    service = {
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "n"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8000}]},
    }
    assert _said(description.of(service, _around()))["Leads to"][0]["text"] == "no ready pod"
    endpoints = {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 8000}]}]}
    said = _said(description.of(service, _around(related={"endpoints": endpoints})))
    assert said["Leads to"] == [{"t": "mono", "text": "10.0.0.1:8000"}]


def test_a_claim_says_who_uses_it() -> None:
    claim = {"kind": "PersistentVolumeClaim", "metadata": {"name": "c", "namespace": "n"}, "spec": {}}
    said = _said(description.of(claim, _around(related={"namespace_pods": {"items": [POD]}})))
    assert said["Used by"][0]["href"] == "/ui/cluster/pods/n/p"
    assert _said(description.of(claim, _around()))["Used by"] == ["no pod now"]


def test_an_object_of_an_unknown_kind_has_a_page_too() -> None:
    odd = {
        "kind": "Odd",
        "metadata": {"name": "o"},
        "status": {"conditions": [{"type": "Ready", "status": "True"}, 7]},
    }
    assert description.of(odd, _around()).grids == ()
    assert [row.id for row in description.conditions(odd)] == ["Ready"]


def test_an_object_of_an_unknown_kind_says_what_it_says_itself() -> None:
    spec = {
        "oars": 2,
        "sail": {"colour": "red", "up": True},
        "crew": ["a", "b"],
        "ropes": [{"x": 1}],
        "none": None,
    }
    said = _said(
        description.of(
            {"kind": "Boat", "spec": spec, "status": {"conditions": [{"type": "Ready"}]}}, _around()
        )
    )
    assert (said["oars"], said["sail.colour"], said["sail.up"], said["ropes"]) == (
        ["2"],
        ["red"],
        ["yes"],
        ["1 item"],
    )
    assert [each["text"] for each in said["crew"]] == ["a", "b"]


def test_what_is_asked_beside_an_object() -> None:
    deployment = {
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "n"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
    }
    asks = related.asks(deployment, CATALOGUE)
    assert [(each.name, each.query["labelSelector"]) for each in asks] == [
        ("pods", "app=web"),
        ("replicasets", "app=web"),
    ]
    # Without a selector there is none to ask for: all pods would be someone else's.
    assert related.asks({**deployment, "spec": {"selector": {}}}, CATALOGUE) == []


def test_what_belongs_to_an_object_is_a_tree() -> None:
    def item(name: str, uid: str, owner: str) -> dict[str, Any]:
        return {"metadata": {"name": name, "uid": uid, "ownerReferences": [{"uid": owner}]}}

    replicasets = CATALOGUE.kinds["replicasets"]
    found = {
        PODS: [item("p1", "3", "2"), item("p2", "4", "2"), item("other", "9", "8")],
        replicasets: [item("rs", "2", "1"), item("circle", "1", "4")],
    }
    names = [(each.name, each.depth) for each in dependents.tree("1", found)]
    assert names == [("rs", 0), ("p1", 1), ("p2", 1)]


def test_a_job_started_by_hand_is_the_cron_jobs() -> None:
    cron_job = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "n" * 60, "namespace": "ns", "uid": "u"},
        "spec": {"jobTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": {"backoffLimit": 1}}},
    }
    job = actions.manual_job(cron_job, 1_700_000_000)
    assert len(job["metadata"]["name"]) <= 52
    assert job["metadata"]["ownerReferences"][0]["uid"] == "u"
    assert job["metadata"]["annotations"] == {"cronjob.kubernetes.io/instantiate": "manual"}
    assert job["spec"] == {"backoffLimit": 1}


def test_logs_of_containers_and_of_their_runs_before() -> None:
    sources = pod_logs.sources([POD], with_pod=False)
    assert [each.key for each in sources] == ["init", "main", "main.previous"]
    assert sources[2].query == {"container": "main", "previous": "true"}
    assert sources[0].path == "/api/v1/namespaces/n/pods/p/log"
    assert pod_logs.first([POD]) == "main"


def test_quotas_as_bars() -> None:
    quota = {
        "metadata": {"name": "q", "namespace": "n"},
        "status": {"hard": {"requests.memory": "2Gi", "pods": "0"}, "used": {"requests.memory": "1Gi"}},
    }
    pods, memory = quotas.quota_rows(quota, lambda path, **_: path)
    assert memory.cells["resource"] == "Memory, asked for"
    assert memory.cells["part"]["value"] == 0.5
    assert memory.cells["amount"] == "1 GiB of 2 GiB"
    assert pods.cells["part"]["text"] == "100% – full"
