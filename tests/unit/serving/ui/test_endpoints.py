"""Endpoints as pages show them: read from objects of every kind, listed, measured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from sampan.components.serving.api.summary import State
from sampan.components.serving.ui import actions, figures, home, places, search
from sampan.components.serving.ui.endpoint_list import rows
from sampan.components.serving.ui.endpoint_list.query import NARROWING, Listed
from sampan.components.serving.ui.endpoint_page import drawn_graph, header, notice, pod_rows, traffic_card
from sampan.components.serving.ui.endpoint_page.parts import Shown
from sampan.components.serving.ui.figures import Figures
from sampan.components.serving.ui.summary import Endpoint, summarise
from sampan.ui.table.narrowing import Wanted

_OPTIONAL = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-26T10:00:00Z"}


def service(
    name: str = "iris",
    *,
    status: Mapping[str, Any] | None = None,
    predictor: Mapping[str, Any] | None = None,
    **metadata: Any,
) -> dict[str, Any]:
    model = {"modelFormat": {"name": "sklearn", "version": "1"}, "storageUri": "s3://models/iris"}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "creationTimestamp": "2026-11-26T09:00:00Z",
            **metadata,
        },
        "spec": {"predictor": {"model": model, **(predictor or {})}},
        "status": dict(status or {}),
    }


def ready(copies: int = 1, **more: Any) -> dict[str, Any]:
    model = {"transitionStatus": "UpToDate", "copies": {"totalCopies": copies, "failedCopies": 0}}
    return {"conditions": [_OPTIONAL], "modelStatus": model, "deploymentMode": "Knative", **more}


FAILURE = {"reason": "ModelLoadFailed", "message": "no such file"}
PART = {
    "latestCreatedRevision": "iris-predictor-00002",
    "latestReadyRevision": "iris-predictor-00002",
    "latestRolledoutRevision": "iris-predictor-00001",
    "traffic": [
        {"revisionName": "iris-predictor-00002", "percent": 20, "latestRevision": True},
        {"revisionName": "iris-predictor-00001", "percent": 80, "latestRevision": False, "tag": "prev"},
    ],
}


def split(**more: Any) -> dict[str, Any]:
    part = {**PART, **more}
    return service(status=ready(components={"predictor": part}), predictor={"canaryTrafficPercent": 20})


@pytest.mark.parametrize(
    ("obj", "state", "why"),
    [
        (service(status=ready()), State.READY, ""),
        (service(status=ready(copies=0)), State.ASLEEP, ""),
        (service(annotations={"serving.kserve.io/stop": "true"}, status=ready()), State.STOPPED, ""),
        (service(deletionTimestamp="2026-11-26T10:00:00Z"), State.DELETING, ""),
        (service(), State.STARTING, ""),
        (
            service(
                status={
                    "modelStatus": {"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": FAILURE}
                }
            ),
            State.FAILED,
            "ModelLoadFailed: no such file",
        ),
        (
            service(
                status={
                    "conditions": [
                        {
                            "type": "IngressReady",
                            "status": "False",
                            "message": "Predictor ingress not created",
                        },
                        {"type": "PredictorReady", "status": "False", "message": "needs 64 GiB of memory"},
                        {"type": "Stopped", "status": "False", "message": "no"},
                    ]
                }
            ),
            State.STARTING,
            "needs 64 GiB of memory",
        ),
        (
            service(
                status=ready(
                    modelStatus={"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": FAILURE},
                    components={"predictor": PART},
                )
            ),
            State.READY,
            "The newest revision iris-predictor-00002 does not start: ModelLoadFailed: no such file",
        ),
    ],
)
def test_how_an_inference_service_is(obj: dict[str, Any], state: State, why: str) -> None:
    found = summarise(obj)
    assert (found.state, found.why) == (state, why)


def test_what_an_inference_service_says() -> None:
    obj = split()
    obj["status"] |= {
        "url": "http://iris-default.localhost",
        "clusterServingRuntimeName": "kserve-sklearnserver",
    }
    found = summarise(obj)
    assert (found.serves, found.source, found.protocol) == ("sklearn 1", "s3://models/iris", "v1")
    assert (found.runtime, found.is_cluster_runtime) == ("kserve-sklearnserver", True)
    assert (found.url, found.copies, found.canary_percent) == ("http://iris-default.localhost", 1, 20)
    assert rows.traffic(found) == ["00002 20%", "00001 80%"]


@pytest.mark.parametrize("kind", [each.kind for each in places.KINDS])
@pytest.mark.parametrize(
    "broken", [None, [], "x", {"predictor": None}, {"nodes": [1], "predictors": [3, {}]}]
)
def test_objects_that_may_hold_anything_are_shown(kind: str, broken: Any) -> None:
    given = broken if isinstance(broken, dict) else {}
    obj = {"kind": kind, "metadata": {"name": "odd", "namespace": "default"}, "spec": given}
    found = summarise(obj)
    assert found.name == "odd"
    assert rows.row(Listed(found), lambda path: path).id == f"{kind}/odd"
    assert drawn_graph.of(obj).nodes is not None


def test_other_kinds() -> None:
    seldon = summarise(
        {
            "kind": "SeldonDeployment",
            "metadata": {"name": "s", "namespace": "default"},
            "spec": {
                "protocol": "v2",
                "predictors": [
                    {"graph": {"name": "m", "implementation": "SKLEARN_SERVER", "modelUri": "gs://a/b"}}
                ],
            },
            "status": {"state": "Failed", "description": "no image", "deploymentStatus": {"d": {}}},
        }
    )
    assert (seldon.state, seldon.why, seldon.serves) == (State.FAILED, "no image", "SKLEARN_SERVER")
    assert (seldon.source, seldon.protocol, seldon.copies) == ("gs://a/b", "v2", 0)
    trained = summarise(
        {
            "kind": "TrainedModel",
            "metadata": {"name": "t", "namespace": "default"},
            "spec": {"inferenceService": "iris", "model": {"framework": "onnx", "storageUri": "s3://x"}},
            "status": {"conditions": [_OPTIONAL]},
        }
    )
    assert (trained.state, trained.runtime, trained.serves) == (State.READY, "iris", "onnx")


def test_where_it_is_asked() -> None:
    seldon = Endpoint("SeldonDeployment", "default", "s", "", "", State.READY, url="http://s.svc:8000/api")
    assert header.address_of(seldon) == "ORIGIN/seldon/default/s"
    assert header.address_of(summarise(service(status=ready(url="http://iris")))) == "http://iris"
    trained = {"kind": "TrainedModel", "status": {"url": "http://many/v2/models/t/infer"}}
    assert summarise(trained).protocol == "v2"
    assert rows.memory(Listed(summarise(trained)))["text"] == "–"


def test_pods_have_the_columns_that_say_something() -> None:
    pods = [{"metadata": {"labels": {"component": "predictor"}}}, {"metadata": {}}]
    assert "revision" not in [each.key for each in pod_rows.columns(pods)]
    assert "component" in [each.key for each in pod_rows.columns(pods)]


def test_figures_are_of_all_backends_and_pods() -> None:
    item = {"kind": "InferenceService", "name": "iris", "requests": 10, "requestsPerSecond": 1.5}
    statistics = {
        "items": [
            {**item, "codes": {"200": 9, "503": 1}, "latencySeconds": {"p95": 0.2}},
            {**item, "codes": {"200": 10}, "latencySeconds": {"p95": 0.1}},
            {**item, "name": "quiet", "requests": 0, "latencySeconds": {"p95": 0.0}},
        ]
    }
    labels = {"serving.kserve.io/inferenceservice": "iris"}
    usage = {"usage": {"cpu": "250m", "memory": "64Mi"}}
    metrics = {
        "items": [
            {"metadata": {"labels": labels}, "containers": [usage, usage]},
            {"metadata": {"labels": labels}, "containers": [usage]},
            {"metadata": {"labels": {}}, "containers": [usage]},
        ]
    }
    found = figures.of(statistics, metrics)
    iris = found["InferenceService", "iris"]
    assert iris == Figures(3.0, 0.2, 1, 20, 0.75, 3 * 64 * 1024**2, 2)
    assert found["InferenceService", "quiet"].p95_seconds is None
    assert figures.of({}, None) == {}


def listed(name: str, state: State = State.READY, **more: Any) -> Listed:
    figures_ = more.pop("figures", figures.NONE)
    endpoint = Endpoint("InferenceService", "default", name, name, more.pop("created", ""), state, **more)
    return Listed(endpoint, figures_)


def test_what_is_asked_for_stands_in_the_address() -> None:
    wanted = Wanted("iris", ("Ready", "Asleep"), "InferenceGraph", "p95", False)
    assert NARROWING.from_address(NARROWING.to_address(wanted)) == wanted
    assert NARROWING.to_address(NARROWING.from_address({"sort": "nothing", "state": "x", "kind": "Pod"})) == {
        "find": "",
        "state": "",
        "kind": "",
        "sort": "",
        "order": "",
    }


def test_those_that_nobody_asks_come_last() -> None:
    slow, fast = Figures(p95_seconds=1.0), Figures(p95_seconds=0.1)
    found = [listed("quiet"), listed("fast", figures=fast), listed("slow", figures=slow)]
    names = [each.endpoint.name for each in NARROWING.chosen(found, Wanted(sort="p95"))]
    assert names == ["slow", "fast", "quiet"]
    names = [each.endpoint.name for each in NARROWING.chosen(found, Wanted(sort="p95", descending=False))]
    assert names == ["fast", "slow", "quiet"]
    assert [each.endpoint.name for each in NARROWING.chosen(found, Wanted("slo"))] == ["slow"]


def test_home_shows_what_is_wrong_first() -> None:
    endpoints = [listed(str(n), State.STOPPED).endpoint for n in range(9)]
    endpoints += [listed("busy").endpoint, listed("calm").endpoint, listed("bad", State.FAILED).endpoint]
    asked = {("InferenceService", "busy"): Figures(requests=3)}
    assert [each.name for each in home.chosen(endpoints, asked)] == ["bad", "busy", "calm"]


def test_only_what_fits_can_be_done() -> None:
    def names(endpoint: Endpoint) -> list[str]:
        return [each.name for each in actions.ACTIONS if each.fits(endpoint)]

    assert names(listed("a").endpoint) == ["stop", "delete"]
    assert names(listed("a", State.STOPPED).endpoint) == ["start", "delete"]
    seldon = Endpoint("SeldonDeployment", "default", "s", "", "", State.READY)
    assert names(seldon) == ["delete"]
    assert actions.stopping(False) == {"metadata": {"annotations": {"serving.kserve.io/stop": None}}}
    assert actions.share(None) == {"spec": {"predictor": {"canaryTrafficPercent": None}}}


def test_the_traffic_can_be_split_where_there_are_two() -> None:
    found = summarise(split())
    assert traffic_card.can_split(found)
    assert traffic_card.newest_percent(found) == 20
    alone = {"latestRolledoutRevision": "iris-predictor-00002", "traffic": PART["traffic"][:1]}
    assert not traffic_card.can_split(summarise(split(**alone)))
    assert traffic_card.can_split(summarise(split(**alone, previousRolledoutRevision="iris-predictor-00001")))
    deployments = [
        {
            "metadata": {
                "labels": {
                    "serving.knative.dev/revision": f"iris-predictor-0000{n}",
                    "component": "predictor",
                }
            },
            "spec": {"replicas": n},
            "status": {"readyReplicas": 1},
        }
        for n in (1, 2)
    ]
    newest, older = traffic_card.rows(found, deployments)
    assert newest.cells["percent"]["text"] == "20%"
    assert newest.cells["replicas"]["text"] == "1 of 2"
    assert older.cells["revision"]["second"] == "prev, rolled out"


def test_a_notice_says_why() -> None:
    obj = service(status={"modelStatus": {"transitionStatus": "InvalidSpec", "lastFailureInfo": FAILURE}})
    shown = Shown(places.KINDS[0], obj, summarise(obj))
    [(tone, title, text, _)] = notice.notices(shown)
    assert (tone, title, text) == ("bad", "It does not start", "ModelLoadFailed: no such file")
    waiting = {"containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]}
    pod = {"kind": "Pod", "metadata": {"name": "iris-pod"}, "status": {"phase": "Pending", **waiting}}
    with_pod = Shown(places.KINDS[0], obj, summarise(obj), pods=[pod])
    assert [each[1] for each in notice.notices(with_pod)] == [
        "It does not start",
        "Pod iris-pod: ImagePullBackOff",
    ]
    # What the endpoint says already is not said again.
    ended = {"terminated": {"exitCode": 1, "message": "no such file"}}
    crashed = {"name": "main", "restartCount": 3, "lastState": ended}
    crashed["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    pod["status"]["containerStatuses"] = [crashed]
    assert len(notice.notices(with_pod)) == 1
    obj = service(status=ready())
    assert notice.notices(Shown(places.KINDS[0], obj, summarise(obj))) == []


def test_search_and_feed() -> None:
    obj = service(status=ready(), labels={"team": "blue"})
    assert all(search.fits(obj, text) for text in ("iri", "sklearn", "s3://models", "team=blue", "uid-iris"))
    assert not search.fits(obj, "nothing")
    assert search.hit(summarise(obj)).detail == "Ready · InferenceService · sklearn 1"
    texts = [each.text for each in search.activities(obj)]
    assert texts == ["Endpoint iris was created", "Endpoint iris is ready"]


def test_graphs_are_drawn() -> None:
    graph = {
        "kind": "InferenceGraph",
        "metadata": {"name": "g", "namespace": "default"},
        "spec": {
            "nodes": {
                "root": {
                    "routerType": "Sequence",
                    "steps": [{"nodeName": "two"}, {"serviceName": "iris", "condition": "[@this].#(x==1)"}],
                },
                "two": {
                    "routerType": "Splitter",
                    "steps": [
                        {"serviceName": "iris", "weight": 30},
                        {"serviceUrl": "http://x", "weight": 70},
                        {"nodeName": "nobody"},
                    ],
                },
            }
        },
    }
    found = drawn_graph.of(graph)
    assert {node.id for node in found.nodes} == {"node:root", "node:two", "service:iris", "url:http://x"}
    labels = {(edge.source, edge.target): edge.label for edge in found.edges}
    assert labels["node:two", "service:iris"] == "30%"
    assert re.match("step 2, ", labels["node:root", "service:iris"])
    assert drawn_graph.service_of(graph, "service:iris") == "iris"
    assert drawn_graph.service_of(graph, "node:two") == ""


def test_a_seldon_graph_is_drawn_however_deep() -> None:
    unit: dict[str, Any] = {"name": "leaf"}
    for number in range(2000):
        unit = {"name": f"u{number}", "type": "TRANSFORMER", "children": [unit]}
    obj = {
        "kind": "SeldonDeployment",
        "metadata": {"name": "s", "namespace": "default"},
        "spec": {"predictors": [{"name": "a", "graph": unit, "traffic": 75}, {"name": "b", "shadow": True}]},
    }
    found = drawn_graph.of(obj)
    assert len(found.nodes) == 400
    assert found.nodes[0].detail == "75% of the requests"
