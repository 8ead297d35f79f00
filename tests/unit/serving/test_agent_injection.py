"""The agent in a pod's template, as upstream's webhook puts it there."""

from __future__ import annotations

import copy
import json
from typing import Any

from sampan.components.serving.engine.agent.config import AgentConfig
from sampan.components.serving.engine.agent.injection import Access, is_wanted, logger_account, with_agent

CONFIG = AgentConfig.of(
    {
        "agent": '{"image": "kserve/agent:v1", "memoryRequest": "100Mi", "cpuLimit": "1"}',
        "logger": '{"defaultUrl": "http://broker", "caBundle": "bundle", "caCertFile": "ca.crt"}',
    }
)
PROBE = {"httpGet": {"path": "/v2/health/ready", "port": 8080}, "periodSeconds": 5}


def template(**spec: Any) -> dict[str, Any]:
    server = {"name": "kserve-container", "ports": [{"containerPort": 5000}], "readinessProbe": PROBE}
    return {
        "metadata": {
            "labels": {"serving.kserve.io/inferenceservice": "iris", "component": "predictor"},
            "annotations": {"team": "a,b", "cost": "7"},
        },
        "spec": {"containers": [server], **spec},
    }


def agent_of(made: dict[str, Any]) -> dict[str, Any]:
    return made["spec"]["containers"][-1]


def words(made: dict[str, Any]) -> dict[str, str]:
    args = agent_of(made)["args"]
    return {args[at]: args[at + 1] for at in range(len(args) - 1) if args[at].startswith("--")}


def test_who_needs_none_gets_none() -> None:
    before = template()
    assert with_agent(before, {}, "ns", CONFIG) is before
    assert not is_wanted({"logger": None}, before)
    own = template()
    own["spec"]["containers"].append({"name": "agent"})
    assert with_agent(own, {"batcher": {}}, "ns", CONFIG) is own


def test_a_logger() -> None:
    before = template()
    kept = copy.deepcopy(before)
    logger = {
        "mode": "request",
        "metadataHeaders": ["X-A", "X-B"],
        "metadataAnnotations": ["team", "cost", "missing"],
    }
    made = with_agent(before, {"logger": logger}, "ns", CONFIG)
    assert before == kept
    told = words(made)
    assert (told["--log-url"], told["--log-mode"], told["--source-uri"]) == ("http://broker", "request", "")
    assert (told["--inference-service"], told["--namespace"], told["--component"]) == (
        "iris",
        "ns",
        "predictor",
    )
    assert told["--endpoint"] == ""
    assert told["--metadata-headers"] == "X-A,X-B"
    assert told["--metadata-annotations"] == '"team=a,b",cost=7'
    assert (told["--logger-ca-cert-file"], told["--component-port"]) == ("ca.crt", "5000")
    assert "--logger-tls-skip-verify=false" in agent_of(made)["args"]
    assert made["spec"]["volumes"] == [
        {"name": "agent-ca-bundle", "configMap": {"name": "bundle", "optional": True}}
    ]
    assert made["metadata"]["annotations"]["internal.serving.kserve.io/logger-mode"] == "request"
    assert with_agent(made, {"logger": logger}, "ns", CONFIG) is made


def test_the_container_is_as_upstreams() -> None:
    made = agent_of(with_agent(template(), {"batcher": {"maxBatchSize": 4, "maxLatency": 50}}, "ns", CONFIG))
    assert made["args"] == [
        *("--enable-batcher", "--max-batchsize", "4", "--max-latency", "50", "--component-port", "5000")
    ]
    assert made["image"] == "kserve/agent:v1"
    assert made["ports"] == [{"name": "agent-port", "containerPort": 9081, "protocol": "TCP"}]
    probe = made["readinessProbe"]["httpGet"]
    assert (probe["port"], probe["path"]) == (9081, "/v2/health/ready")
    assert probe["httpHeaders"] == [{"name": "K-Network-Probe", "value": "queue"}]
    (variable,) = made["env"]
    assert (variable["name"], json.loads(variable["value"])) == ("SERVING_READINESS_PROBE", PROBE)
    assert made["resources"]["requests"] == {"cpu": "100m", "memory": "100Mi"}


def test_defaults_of_the_batcher_are_the_agents() -> None:
    assert words(with_agent(template(), {"batcher": {}}, "ns", CONFIG)) == {
        "--enable-batcher": "--component-port",
        "--component-port": "5000",
    }


def test_a_transformer_in_the_same_pod_is_what_the_agent_leads_to() -> None:
    other = {"name": "transformer-container", "readinessProbe": {"tcpSocket": {"port": 8080}}}
    before = template()
    before["spec"]["containers"].append(other)
    made = with_agent(before, {"logger": {}}, "ns", CONFIG)
    assert words(made)["--component-port"] == "8080"
    assert json.loads(agent_of(made)["env"][0]["value"]) == {"tcpSocket": {"port": 8080}}
    assert agent_of(made)["readinessProbe"]["httpGet"]["path"] == "/"


def test_logs_in_a_store() -> None:
    storage = {"path": "logs", "key": "k", "parameters": {"format": "csv"}}
    logger = {"url": "s3://bucket/x", "storage": storage, "batchSize": 10, "batchInterval": "5s"}
    assert logger_account({"logger": logger}) == "logger-sa"
    assert logger_account({"logger": {**logger, "storage": {**storage, "serviceAccountName": "me"}}}) == "me"
    assert logger_account({"logger": {}}) == ""
    access = Access(
        ({"name": "A", "value": "b"},), ({"name": "v", "mountPath": "/x"},), ({"name": "v", "secret": {}},)
    )
    made = with_agent(template(), {"logger": logger}, "ns", CONFIG, access)
    told = words(made)
    assert (told["--log-store-path"], told["--log-store-format"]) == ("logs", "csv")
    assert (told["--log-batch-size"], told["--log-batch-interval"]) == ("10", "5s")
    assert agent_of(made)["env"][-1] == {"name": "A", "value": "b"}
    assert {"name": "v", "mountPath": "/x"} in agent_of(made)["volumeMounts"]
    assert {"name": "v", "secret": {}} in made["spec"]["volumes"]


def test_a_puller() -> None:
    before = template()
    internal = "internal.serving.kserve.io"
    before["metadata"]["annotations"] |= {
        f"{internal}/agent": "true",
        f"{internal}/configVolumeName": "modelconfig-iris-0",
        f"{internal}/configMountPath": "/mnt/configs",
        f"{internal}/modelDir": "/mnt/models",
    }
    made = with_agent(before, {}, "ns", CONFIG)
    assert agent_of(made)["args"] == [
        *("--enable-puller", "--config-dir", "/mnt/configs", "--model-dir", "/mnt/models"),
        *("--component-port", "5000"),
    ]
    server, agent = made["spec"]["containers"]
    assert server["volumeMounts"] == [{"name": "model-dir", "mountPath": "/mnt/models"}]
    assert [each["mountPath"] for each in agent["volumeMounts"]] == ["/mnt/models", "/mnt/configs"]
    assert made["spec"]["volumes"] == [
        {"name": "model-dir", "emptyDir": {}},
        {"name": "model-config", "configMap": {"name": "modelconfig-iris-0"}},
    ]


def test_what_the_config_map_says_wrongly_counts_for_nothing() -> None:
    wrong = {"agent": '{"image": 5, "cpuLimit": "lots"}', "logger": "no JSON"}
    assert AgentConfig.of(wrong) == AgentConfig()
