"""Malformed objects of every built-in kind: each is stored or refused by name, none breaks the server."""

from __future__ import annotations

import asyncio
import copy
import json
import random
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from sampan.cluster.apiserver.kinds import BUILT_IN
from sampan.kube.errors import ApiError, InternalError
from sampan.kube.kinds import Resource
from sampan.testing.apiserver import embedded

CONTAINER = {
    "name": "main",
    "image": "a:1",
    "env": [
        {"name": "A", "value": "1"},
        {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "a"}}},
    ],
    "ports": [{"containerPort": 80, "name": "http"}],
    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
    "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}},
    "readinessProbe": {"httpGet": {"port": 80}},
}
POD_SPEC = {
    "containers": [CONTAINER],
    "initContainers": [{"name": "init", "image": "b", "restartPolicy": "Always"}],
    "volumes": [{"name": "v", "configMap": {"name": "c"}}],
    "restartPolicy": "Never",
}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {**POD_SPEC, "restartPolicy": "Always"}}
ROLE_REF = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
KEPT = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
WEBHOOK: dict[str, Any] = {
    "name": "a.b.c",
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
    "clientConfig": {"service": {"name": "a", "namespace": "b"}},
    "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
}
SPECS: dict[str, dict[str, Any]] = {
    "Pod": {"spec": POD_SPEC},
    "Job": {"spec": {"completions": 2, "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD_SPEC}}},
    "ConfigMap": {"data": {"a": "b"}, "binaryData": {"c": "ZA=="}},
    "Secret": {"data": {"a": "ZA=="}, "stringData": {"b": "c"}, "type": "Opaque"},
    "Event": {"involvedObject": {"kind": "Pod", "name": "a", "namespace": "default"}, "reason": "x"},
    "PersistentVolumeClaim": {
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    },
    "PersistentVolume": {
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}
    },
    "Service": {
        "spec": {
            "type": "NodePort",
            "sessionAffinity": "ClientIP",
            "ports": [{"name": "a", "port": 80, "targetPort": "http", "protocol": "TCP"}],
            "selector": {"a": "b"},
        }
    },
    "Endpoints": {"subsets": [{"addresses": [{"ip": "127.0.0.1"}], "ports": [{"name": "a", "port": 80}]}]},
    "EndpointSlice": {
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        "ports": [{"name": "a", "port": 80}],
    },
    "RoleBinding": {
        "roleRef": ROLE_REF,
        "subjects": [{"kind": "ServiceAccount", "name": "a", "namespace": "b"}],
    },
    "ClusterRoleBinding": {"roleRef": ROLE_REF, "subjects": [{"kind": "User", "name": "a"}]},
    "Role": {"rules": [{"apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"], "verbs": ["get"]}]},
    "ClusterRole": {
        "rules": [{"nonResourceURLs": ["/a/*"], "verbs": ["get"]}],
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]},
    },
    "ResourceQuota": {
        "spec": {
            "hard": {"pods": "1", "requests.cpu": "1"},
            "scopes": ["NotTerminating"],
            "scopeSelector": {
                "matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["a"]}]
            },
        }
    },
    "LimitRange": {
        "spec": {
            "limits": [
                {"type": "Container", "max": {"cpu": "2"}, "default": {"cpu": "1"}, "min": {"cpu": "1m"}}
            ]
        }
    },
    "PriorityClass": {"value": 1, "globalDefault": False, "preemptionPolicy": "Never"},
    "Node": {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
    "Deployment": {"spec": KEPT},
    "ReplicaSet": {"spec": KEPT},
    "StatefulSet": {"spec": {**KEPT, "serviceName": "a"}},
    "DaemonSet": {"spec": KEPT},
    "ControllerRevision": {"data": {"a": "b"}, "revision": 1},
    "PodTemplate": {"template": TEMPLATE},
    "ReplicationController": {"spec": {"selector": {"a": "b"}, "template": TEMPLATE}},
    "PodDisruptionBudget": {"spec": {"minAvailable": "50%", "selector": {"matchLabels": {"a": "b"}}}},
    "HorizontalPodAutoscaler": {
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"},
            "maxReplicas": 3,
            "metrics": [
                {
                    "type": "Pods",
                    "pods": {
                        "metric": {"name": "a"},
                        "target": {"type": "AverageValue", "averageValue": "1"},
                    },
                }
            ],
            "behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 1}]}},
        }
    },
    "NetworkPolicy": {
        "spec": {
            "podSelector": {"matchLabels": {"a": "b"}},
            "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 80}]}],
            "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
        }
    },
    "Ingress": {
        "spec": {
            "rules": [
                {
                    "host": "a.example.com",
                    "http": {
                        "paths": [
                            {
                                "path": "/",
                                "pathType": "Prefix",
                                "backend": {"service": {"name": "a", "port": {"number": 80}}},
                            }
                        ]
                    },
                }
            ]
        }
    },
    "IngressClass": {"spec": {"controller": "a.b/c", "parameters": {"kind": "K", "name": "n"}}},
    "StorageClass": {"provisioner": "a.b/c", "parameters": {"a": "b"}},
    "CSIDriver": {"spec": {"tokenRequests": [{"audience": "a"}]}},
    "CSINode": {"spec": {"drivers": [{"name": "a", "nodeID": "b", "topologyKeys": ["c"]}]}},
    "VolumeAttachment": {"spec": {"attacher": "a", "nodeName": "b", "source": {"persistentVolumeName": "c"}}},
    "CSIStorageCapacity": {"storageClassName": "a", "capacity": "1Gi"},
    "VolumeAttributesClass": {"driverName": "a", "parameters": {"a": "b"}},
    "MutatingWebhookConfiguration": {"webhooks": [WEBHOOK]},
    "ValidatingWebhookConfiguration": {"webhooks": [WEBHOOK]},
    "ValidatingAdmissionPolicy": {
        "spec": {
            "validations": [{"expression": "true"}],
            "matchConstraints": {"resourceRules": [WEBHOOK["rules"][0]]},
            "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        }
    },
    "ValidatingAdmissionPolicyBinding": {
        "spec": {"policyName": "a", "validationActions": ["Deny"], "paramRef": {"name": "a"}}
    },
    "APIService": {
        "spec": {
            "group": "a.b",
            "version": "v1",
            "groupPriorityMinimum": 10,
            "versionPriority": 1,
            "service": {"name": "a", "namespace": "b"},
        }
    },
    "CertificateSigningRequest": {
        "spec": {"request": "ZA==", "signerName": "a.b/c", "usages": ["client auth"]}
    },
    "RuntimeClass": {"handler": "a", "scheduling": {"nodeSelector": {"a": "b"}}},
    "FlowSchema": {"spec": {"priorityLevelConfiguration": {"name": "a"}, "rules": [{"subjects": []}]}},
    "PriorityLevelConfiguration": {
        "spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": {"queues": 1}}}}
    },
}
SPECS["CronJob"] = {"spec": {"schedule": "* * * * *", "timeZone": "UTC", "jobTemplate": SPECS["Job"]}}
OTHER_VERSIONS: dict[tuple[str, str], dict[str, Any]] = {
    ("autoscaling/v1", "HorizontalPodAutoscaler"): {
        "metadata": {
            "annotations": {
                "autoscaling.alpha.kubernetes.io/metrics": json.dumps(
                    [
                        {
                            "type": "Resource",
                            "resource": {
                                "name": "memory",
                                "target": {"type": "Utilization", "averageUtilization": 5},
                            },
                        }
                    ]
                ),
                "autoscaling.alpha.kubernetes.io/behavior": '{"scaleUp": {"selectPolicy": "Min"}}',
            }
        },
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"},
            "maxReplicas": 3,
            "targetCPUUtilizationPercentage": 50,
        },
    },
    ("events.k8s.io/v1", "Event"): {
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "a.b/c",
        "reportingInstance": "a",
        "action": "Run",
        "reason": "Ran",
        "type": "Normal",
        "regarding": {"kind": "Pod", "name": "a", "namespace": "default"},
    },
}
"""Of kinds that are served in more than one."""
NAMES = {"APIService": "v1.a.b"}
"""Of kinds whose names follow from their contents."""
METADATA = {"labels": {"a": "b"}, "annotations": {"c": "d"}, "finalizers": ["x.y/z"], "ownerReferences": []}
POISON: tuple[Any, ...] = (
    None, "", "x", -1, 0, 2**70, 1.5, True, [], {}, [None], [[]], [{}], {"": ""}, {"name": None}, "é" * 300,
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path into `value`."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        found += places(each, (*path, key))
    return found


def poisoned(obj: dict[str, Any], path: tuple[Any, ...], poison: Any) -> dict[str, Any]:
    result = copy.deepcopy(obj)
    holder: Any = result
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = poison
    return result


async def answered(request: Awaitable[Any], case: Any) -> None:
    """Done, or refused for a reason: anything but our own fault."""
    try:
        await request
    except InternalError:
        pytest.fail(f"the server did not expect {case}")
    except ApiError:
        return


@pytest.mark.parametrize(
    "resource", [each.resource for each in BUILT_IN], ids=lambda each: f"{each.api_version} {each.kind}"
)
def test_every_field_of_every_kind_can_be_wrong(resource: Resource, tmp_path: Path) -> None:
    spec = OTHER_VERSIONS.get((resource.api_version, resource.kind)) or SPECS.get(resource.kind, {})
    whole = {**copy.deepcopy(spec), "metadata": {**METADATA, **spec.get("metadata", {})}}
    if resource.namespaced:
        whole["metadata"]["namespace"] = "default"
    cases = [(path, poison) for path in places(whole) for poison in POISON]
    # Enough to meet each place often over the runs, few enough for a second.
    chosen = random.Random(resource.kind).sample(cases, min(400, len(cases)))

    async def main() -> None:
        async with embedded(tmp_path) as server:
            client = server.client
            name = whole["metadata"]["name"] = NAMES.get(resource.kind, "good")
            good = await client.create(resource, whole)
            for at, (path, poison) in enumerate(chosen):
                bad = poisoned(whole, path, poison)
                if isinstance(bad.get("metadata"), dict):
                    bad["metadata"]["name"] = f"bad-{at}"
                await answered(client.create(resource, bad), (path, poison))
                patch = poisoned(good, path, poison) if path[0] in good else bad
                namespace = good["metadata"].get("namespace")
                await answered(client.patch(resource, name, patch, namespace), (path, poison))
            assert (await client.list(resource)).items

    asyncio.run(main())
