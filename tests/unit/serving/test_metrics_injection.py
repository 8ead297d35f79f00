"""Where metrics of pods are. Cases of kserve 0.20's pkg/webhook/admission/pod/metrics_aggregate_injector_test.go,
accelerator_injector_test.go and qpext/cmd/qpext/main_test.go."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.components.serving.engine.inference_services.pods import serving_container
from sampan.components.serving.engine.metrics.injection import (
    AGGREGATION,
    SCRAPING,
    with_accelerator,
    with_metrics,
)
from sampan.components.serving.engine.programs.metrics.labelling import labelled

MINE = {"name": "kserve-container", "image": "a", "securityContext": {"runAsNonRoot": True}}
LABELS = {"service_name": "s", "revision_name": "r"}


def pod(**annotations: str) -> dict[str, Any]:
    return {"metadata": {"annotations": annotations}, "spec": {"containers": [MINE]}}


def config(adds_up: str, is_scraped: str) -> dict[str, str]:
    told = {"enableMetricAggregation": adds_up, "enablePrometheusScraping": is_scraped}
    return {"metricsAggregator": json.dumps(told)}


def variables(container: Any) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"] if "value" in each}


def test_metrics_are_added_up_where_it_is_asked_for() -> None:
    told = {AGGREGATION: "true", "prometheus.kserve.io/port": "8082", "prometheus.kserve.io/path": "/m"}
    template = pod(**told)
    found = with_metrics(template, {}, has_revisions=True)
    assert len(template["spec"]["containers"]) == 1
    _, added = found["spec"]["containers"]
    assert added["name"] == "queue-proxy"
    assert added["ports"] == [{"name": "aggr-metric", "containerPort": 9088, "protocol": "TCP"}]
    assert added["securityContext"] == {"runAsNonRoot": True}
    assert variables(added) == {
        "KSERVE_CONTAINER_PROMETHEUS_METRICS_PORT": "8082",
        "KSERVE_CONTAINER_PROMETHEUS_METRICS_PATH": "/m",
        "AGGREGATE_PROMETHEUS_METRICS_PORT": "9088",
    }
    assert with_metrics(found, {}, has_revisions=True) == found
    # Requests go to the model server as before, which names no port.
    assert serving_container(found["spec"])["name"] == "kserve-container"


def test_a_container_that_says_nothing_is_asked_at_8080() -> None:
    found = with_metrics(pod(**{AGGREGATION: "true"}), {}, has_revisions=True)
    told = variables(found["spec"]["containers"][1])
    assert told["KSERVE_CONTAINER_PROMETHEUS_METRICS_PORT"] == "8080"
    assert told["KSERVE_CONTAINER_PROMETHEUS_METRICS_PATH"] == "/metrics"


@pytest.mark.parametrize(
    ("annotations", "data", "has_revisions", "added", "port"),
    [
        ({}, {}, True, 0, None),
        ({AGGREGATION: "false"}, config("true", "false"), True, 0, None),
        ({}, config("true", "false"), True, 1, None),
        ({AGGREGATION: "true", SCRAPING: "true"}, {}, True, 1, "9088"),
        ({SCRAPING: "true"}, {}, True, 0, "8080"),
        ({SCRAPING: "false"}, config("false", "true"), True, 0, None),
        ({}, config("false", "true"), False, 0, "8080"),
        # Without Knative there is no queue-proxy to add anything up.
        ({AGGREGATION: "true", SCRAPING: "true"}, {}, False, 0, "8080"),
        ({}, {"metricsAggregator": "no JSON"}, True, 0, None),
    ],
)
def test_annotations_count_before_the_configuration(
    annotations: Any, data: Any, has_revisions: bool, added: int, port: str | None
) -> None:
    found = with_metrics(pod(**annotations), data, has_revisions=has_revisions)
    assert len(found["spec"]["containers"]) == 1 + added
    assert found["metadata"]["annotations"].get("prometheus.io/port") == port
    path = found["metadata"]["annotations"].get("prometheus.io/path")
    assert path == ("/metrics" if port else None)


@pytest.mark.parametrize(
    ("limits", "annotation", "selector"),
    [
        (
            {"nvidia.com/gpu": "1"},
            "nvidia-tesla-v100",
            {"a": "b", "cloud.google.com/gke-accelerator": "nvidia-tesla-v100"},
        ),
        ({"cpu": "1"}, "nvidia-tesla-v100", {"a": "b"}),
        ({"nvidia.com/gpu": "1"}, "", {"a": "b"}),
    ],
)
def test_nodes_with_a_gpu_of_that_name(limits: Any, annotation: str, selector: Any) -> None:
    template = pod(**({"serving.kserve.io/gke-accelerator": annotation} if annotation else {}))
    template["spec"] = {"containers": [{**MINE, "resources": {"limits": limits}}], "nodeSelector": {"a": "b"}}
    assert with_accelerator(template)["spec"]["nodeSelector"] == selector


def test_samples_get_the_names_of_their_revision() -> None:
    text = (
        "# HELP a_total Some\n"
        "# TYPE a_total counter\n"
        "a_total 1.0\n"
        'a_total{code="200"} 2 1700000000000\n'
        'b{x="a } b",y="q\\"}",} 3e-05\n'
        "c{} NaN\n"
        "# EOF\n"
    )
    added = 'service_name="s",revision_name="r"'
    assert labelled(text, LABELS) == (
        "# HELP a_total Some\n"
        "# TYPE a_total counter\n"
        f"a_total{{{added}}} 1.0\n"
        f'a_total{{code="200",{added}}} 2 1700000000000\n'
        f'b{{x="a }} b",y="q\\"}}",{added}}} 3e-05\n'
        f"c{{{added}}} NaN\n"
    )


def test_names_cannot_end_their_quotes() -> None:
    assert labelled("a 1\n", {"n": 'x"y\\'}) == 'a{n="x\\"y\\\\"} 1\n'
