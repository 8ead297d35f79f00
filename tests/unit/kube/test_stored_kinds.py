"""Kinds that are stored and served only: what they default to, refuse, and show in `kubectl get`."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from sampan.cluster.apiserver.kinds import BUILT_IN
from sampan.cluster.apiserver.strategy import Strategy
from sampan.cluster.apiserver.tables import table
from sampan.kube.fielderrors import FieldErrors

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BY_KIND = {strategy.resource.kind: strategy for strategy in reversed(BUILT_IN)}
"""Of several versions the stored one, which is declared first."""
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
INGRESS_RULE = {
    "host": "a.example.com",
    "http": {
        "paths": [
            {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}}}
        ]
    },
}


def made(kind: str, obj: dict[str, Any]) -> tuple[Strategy, dict[str, Any]]:
    """As the server would store it."""
    strategy = BY_KIND[kind]
    found = {"metadata": {"name": "one", "creationTimestamp": "2026-01-01T00:00:00Z"}, **copy.deepcopy(obj)}
    strategy.default(found)
    strategy.prepare_create(found)
    return strategy, found


def problems(kind: str, obj: dict[str, Any]) -> list[str]:
    strategy, found = made(kind, obj)
    errors = FieldErrors()
    strategy.validate(found, errors)
    return [f"{cause.field}: {cause.message}" for cause in errors.causes]


@pytest.mark.parametrize(
    ("kind", "obj", "shown"),
    [
        (
            "PodDisruptionBudget",
            {"spec": {"minAvailable": 1}},
            {"Name": "one", "Min Available": 1, "Max Unavailable": "N/A", "Allowed Disruptions": 0},
        ),
        (
            "HorizontalPodAutoscaler",
            {"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 3}},
            {
                "Reference": "Deployment/web",
                "Targets": "cpu: <unknown>/80%",
                "MinPods": 1,
                "MaxPods": 3,
                "Replicas": 0,
            },
        ),
        ("NetworkPolicy", {"spec": {"podSelector": {"matchLabels": {"a": "b"}}}}, {"Pod-Selector": "a=b"}),
        ("NetworkPolicy", {}, {"Pod-Selector": "<none>"}),
        (
            "Ingress",
            {"spec": {"rules": [INGRESS_RULE], "ingressClassName": "x"}},
            {"Class": "x", "Hosts": "a.example.com", "Address": "", "Ports": "80"},
        ),
        (
            "Ingress",
            {"spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 1}}}, "tls": [{}]}},
            {"Class": "<none>", "Hosts": "*", "Ports": "80, 443"},
        ),
        (
            "IngressClass",
            {"spec": {"controller": "a.b/c", "parameters": {"apiGroup": "g", "kind": "K", "name": "n"}}},
            {"Controller": "a.b/c", "Parameters": "K.g/n"},
        ),
        (
            "StorageClass",
            {
                "provisioner": "a.b/c",
                "metadata": {
                    "name": "one",
                    "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
                },
            },
            {
                "Name": "one (default)",
                "Provisioner": "a.b/c",
                "ReclaimPolicy": "Delete",
                "VolumeBindingMode": "Immediate",
                "AllowVolumeExpansion": "false",
            },
        ),
        (
            "CSIDriver",
            {"spec": {}},
            {
                "AttachRequired": True,
                "PodInfoOnMount": False,
                "StorageCapacity": False,
                "TokenRequests": "<unset>",
                "RequiresRepublish": False,
                "Modes": "Persistent",
            },
        ),
        (
            "VolumeAttachment",
            {"spec": {"attacher": "a", "nodeName": "n", "source": {"persistentVolumeName": "pv"}}},
            {"Attacher": "a", "PV": "pv", "Node": "n", "Attached": False},
        ),
        ("MutatingWebhookConfiguration", {"webhooks": [{"name": "a.b.c"}]}, {"Webhooks": 1}),
        (
            "ValidatingAdmissionPolicy",
            {"spec": {"validations": [{}], "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}},
            {"Validations": 1, "ParamKind": "v1/ConfigMap"},
        ),
        (
            "ValidatingAdmissionPolicyBinding",
            {"spec": {"policyName": "p", "paramRef": {"namespace": "n", "name": "x"}}},
            {"PolicyName": "p", "ParamRef": "n/x"},
        ),
        (
            "APIService",
            {"spec": {"group": "a", "version": "v1"}},
            {"Service": "Local", "Available": "True"},
        ),
        (
            "APIService",
            {"spec": {"group": "a", "version": "v1", "service": {"namespace": "n", "name": "s"}}},
            {"Service": "n/s", "Available": "False (FailedDiscoveryCheck)"},
        ),
        (
            "CertificateSigningRequest",
            {"spec": {"signerName": "a/b", "expirationSeconds": 3600}},
            {"SignerName": "a/b", "RequestedDuration": "60m", "Condition": "Pending"},
        ),
        ("RuntimeClass", {"handler": "runc"}, {"Handler": "runc"}),
        (
            "FlowSchema",
            {"spec": {"priorityLevelConfiguration": {"name": "l"}}},
            {
                "PriorityLevel": "l",
                "MatchingPrecedence": 1000,
                "DistinguisherMethod": "<none>",
                "MissingPL": "?",
            },
        ),
        (
            "PriorityLevelConfiguration",
            {"spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Queue"}}}},
            {"NominalConcurrencyShares": 30, "Queues": 64, "HandSize": 8, "QueueLengthLimit": 50},
        ),
        ("PodTemplate", {"template": TEMPLATE}, {"Containers": "c", "Images": "i", "Pod Labels": "a=b"}),
        (
            "ReplicationController",
            {"spec": {"template": TEMPLATE}},
            {"Desired": 1, "Current": 0, "Ready": 0, "Selector": "a=b"},
        ),
    ],
)
def test_columns_with_defaults(kind: str, obj: dict[str, Any], shown: dict[str, Any]) -> None:
    strategy, found = made(kind, obj)
    written = table(strategy, [found], {}, NOW, "None")
    cells = dict(
        zip((each["name"] for each in written["columnDefinitions"]), written["rows"][0]["cells"], strict=True)
    )
    assert cells | shown == cells


@pytest.mark.parametrize(
    ("kind", "obj", "told"),
    [
        (
            "PodDisruptionBudget",
            {"spec": {"minAvailable": 1, "maxUnavailable": 1}},
            'spec: Invalid value: {"minAvailable":1,"maxUnavailable":1}: minAvailable and maxUnavailable cannot be '
            "both set",
        ),
        (
            "HorizontalPodAutoscaler",
            {"spec": {"minReplicas": 4, "maxReplicas": 3, "scaleTargetRef": {"kind": "D", "name": "n"}}},
            "spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`",
        ),
        (
            "Ingress",
            {"spec": {}},
            "spec: Invalid value: []: either `defaultBackend` or `rules` must be specified",
        ),
        (
            "Ingress",
            {
                "spec": {
                    "rules": [{"http": {"paths": [{"path": "/", "backend": {"service": {"name": "a"}}}]}}]
                }
            },
            "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified",
        ),
        (
            "NetworkPolicy",
            {"spec": {"ingress": [{"from": [{}]}]}},
            "spec.ingress[0].from[0]: Required value: must specify a peer",
        ),
        (
            "StorageClass",
            {"provisioner": "a", "reclaimPolicy": "Recycle"},
            'reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"',
        ),
        (
            "ValidatingWebhookConfiguration",
            {
                "webhooks": [
                    {"name": "a.b.c", "admissionReviewVersions": ["v1"], "clientConfig": {"url": "x"}}
                ]
            },
            "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun",
        ),
        (
            "APIService",
            {"spec": {"group": "a", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1}},
            'metadata.name: Invalid value: "one": must be `spec.version+"."+spec.group`: "v1.a"',
        ),
        (
            "ReplicationController",
            {"spec": {"selector": {"x": "y"}, "template": TEMPLATE}},
            'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
        ),
    ],
)
def test_what_is_refused(kind: str, obj: dict[str, Any], told: str) -> None:
    assert told in problems(kind, obj)


def test_rules_get_their_defaults() -> None:
    _, policy = made("NetworkPolicy", {"spec": {"egress": [{"ports": [{"port": 53}]}]}})
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert policy["spec"]["egress"][0]["ports"] == [{"port": 53, "protocol": "TCP"}]
    service = {"name": "s", "namespace": "n"}
    _, hooks = made(
        "MutatingWebhookConfiguration",
        {"webhooks": [{"rules": [{"operations": ["*"]}], "clientConfig": {"service": service}}]},
    )
    assert hooks["webhooks"][0] == {
        "rules": [{"operations": ["*"], "scope": "*"}],
        "clientConfig": {"service": {**service, "port": 443}},
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "timeoutSeconds": 10,
        "reinvocationPolicy": "Never",
    }
