"""The least that Kubernetes accepts of each built-in kind, and the change that an update makes to it.

`served` asks the server which kinds it has: one without an entry here fails the journey, so that none is forgotten.
"""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

POD_SPEC: Object = {"containers": [{"name": "main", "image": "busybox", "command": ["sleep", "60"]}]}
SELECTOR: Object = {"matchLabels": {"app": "minimal"}}
TEMPLATE: Object = {"metadata": {"labels": {"app": "minimal"}}, "spec": POD_SPEC}
JOB_SPEC: Object = {"template": {"spec": {**POD_SPEC, "restartPolicy": "Never"}}, "suspend": True}
NOW = "2026-01-01T00:00:00.000000Z"
SUBJECT: Object = {"kind": "User", "name": "ann", "apiGroup": "rbac.authorization.k8s.io"}
WEBHOOK: Object = {
    "name": "minimal.example.com",
    "admissionReviewVersions": ["v1"],
    "sideEffects": "None",
    "failurePolicy": "Ignore",
    "clientConfig": {"url": "https://127.0.0.1:1/none"},
    "rules": [
        {"apiGroups": ["none.example.com"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["x"]}
    ],
}
MATCH: Object = {
    "resourceRules": [
        {"apiGroups": ["none.example.com"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["x"]}
    ]
}
DEFINITION: Object = {
    "metadata": {"name": "minimals.crud.example.com"},
    "spec": {
        "group": "crud.example.com",
        "scope": "Namespaced",
        "names": {"plural": "minimals", "singular": "minimal", "kind": "Minimal", "listKind": "MinimalList"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}

# Of a key that was thrown away, for the common name "minimal".
REQUEST = (
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlITE1IUUNBUUF3RWpFUU1BNEdBMVVFQXd3SGJXbHVhVzFoYkRCWk1CTUdC"
    "eXFHU000OQpBZ0VHQ0NxR1NNNDlBd0VIQTBJQUJKdjJRZ0lSdWdtWGtZd3ErZTFGRE1ra2dBWXA0alNpa0ZPVS95Zi85RzhjbGRjSEllbWszYTF3"
    "Ck1xTUpEQXdhbEp2MmxydmlOTmpXQWZYVHV1QXViMUdnQURBS0JnZ3Foa2pPUFFRREFnTkhBREJFQWlBbkxCK0IKZlk5dU1lM0RZNlNIUGdRT1Z3"
    "R0JVSFFURk83ajBSWGdyVkdPV1FJZ0kwSzhnVWRLNDlJcklIdjR2TXlpSjhjOApGNlBzRmF0dEE4K1RTN3N1U0dZPQotLS0tLUVORCBDRVJUSUZJ"
    "Q0FURSBSRVFVRVNULS0tLS0K"
)

CORE: dict[str, Object] = {
    "ConfigMap": {"data": {"a": "1"}},
    "Secret": {"stringData": {"a": "1"}},
    "ServiceAccount": {},
    "Namespace": {},
    "Node": {},
    "Pod": {"spec": {**POD_SPEC, "schedulingGates": [{"name": "example.com/wait"}]}},
    "PodTemplate": {"template": TEMPLATE},
    "ReplicationController": {"spec": {"replicas": 0, "selector": {"app": "minimal"}, "template": TEMPLATE}},
    "Service": {"spec": {"selector": {"app": "minimal"}, "ports": [{"port": 80}]}},
    "Endpoints": {},
    "Event": {
        "involvedObject": {"kind": "Pod", "namespace": "crud", "name": "minimal"},
        "reason": "Tested",
        "message": "for a test",
        "type": "Normal",
        "source": {"component": "test"},
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "count": 1,
    },
    "LimitRange": {"spec": {"limits": [{"type": "Container", "max": {"cpu": "64"}}]}},
    "ResourceQuota": {"spec": {"hard": {"pods": "1000"}}},
    "PersistentVolumeClaim": {
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "none",
            "resources": {"requests": {"storage": "1Mi"}},
        }
    },
    "PersistentVolume": {
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Mi"},
            "storageClassName": "none",
            "hostPath": {"path": "/tmp/none"},
        }
    },
}
OTHERS: dict[str, Object] = {
    "Deployment": {"spec": {"replicas": 0, "selector": SELECTOR, "template": TEMPLATE}},
    "ReplicaSet": {"spec": {"replicas": 0, "selector": SELECTOR, "template": TEMPLATE}},
    "StatefulSet": {
        "spec": {"replicas": 0, "serviceName": "minimal", "selector": SELECTOR, "template": TEMPLATE}
    },
    "DaemonSet": {"spec": {"selector": SELECTOR, "template": TEMPLATE}},
    "ControllerRevision": {"revision": 1, "data": {"a": 1}},
    "Job": {"spec": JOB_SPEC},
    "CronJob": {"spec": {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": JOB_SPEC}}},
    "Lease": {"spec": {"holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": NOW}},
    "EndpointSlice": {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": []},
    "Event": {
        "regarding": {"kind": "Pod", "namespace": "crud", "name": "minimal"},
        "reason": "Tested",
        "action": "Testing",
        "note": "for a test",
        "type": "Normal",
        "eventTime": NOW,
        "reportingController": "example.com/test",
        "reportingInstance": "test-0",
    },
    "StorageClass": {"provisioner": "example.com/none"},
    "VolumeAttachment": {
        "spec": {"attacher": "example.com", "nodeName": "none", "source": {"persistentVolumeName": "none"}}
    },
    "VolumeAttributesClass": {"driverName": "example.com", "parameters": {"a": "1"}},
    "CSIDriver": {"spec": {"attachRequired": False}},
    "CSINode": {"spec": {"drivers": []}},
    "CSIStorageCapacity": {"storageClassName": "none", "capacity": "1Gi"},
    "PriorityClass": {"value": 7},
    "RuntimeClass": {"handler": "minimal"},
    "Role": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    "ClusterRole": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    "RoleBinding": {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "minimal"},
        "subjects": [SUBJECT],
    },
    "ClusterRoleBinding": {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "minimal"},
        "subjects": [SUBJECT],
    },
    "NetworkPolicy": {"spec": {"podSelector": {}}},
    "Ingress": {"spec": {"defaultBackend": {"service": {"name": "minimal", "port": {"number": 80}}}}},
    "IngressClass": {"spec": {"controller": "example.com/none"}},
    "IPAddress": {"spec": {"parentRef": {"resource": "services", "namespace": "crud", "name": "minimal"}}},
    "ServiceCIDR": {"spec": {"cidrs": ["10.7.0.0/24"]}},
    "PodDisruptionBudget": {"spec": {"minAvailable": 1, "selector": SELECTOR}},
    "HorizontalPodAutoscaler": {
        "spec": {
            "maxReplicas": 2,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "minimal"},
        }
    },
    "MutatingWebhookConfiguration": {"webhooks": [WEBHOOK]},
    "ValidatingWebhookConfiguration": {"webhooks": [WEBHOOK]},
    "ValidatingAdmissionPolicy": {
        "spec": {
            "failurePolicy": "Ignore",
            "matchConstraints": MATCH,
            "validations": [{"expression": "true"}],
        }
    },
    "ValidatingAdmissionPolicyBinding": {"spec": {"policyName": "minimal", "validationActions": ["Deny"]}},
    "MutatingAdmissionPolicy": {
        "spec": {
            "failurePolicy": "Ignore",
            "reinvocationPolicy": "Never",
            "matchConstraints": MATCH,
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": "[]"}}],
        }
    },
    "MutatingAdmissionPolicyBinding": {"spec": {"policyName": "minimal"}},
    "FlowSchema": {"spec": {"priorityLevelConfiguration": {"name": "exempt"}}},
    "PriorityLevelConfiguration": {
        "spec": {
            "type": "Limited",
            "limited": {"nominalConcurrencyShares": 1, "limitResponse": {"type": "Reject"}},
        }
    },
    "APIService": {
        "metadata": {"name": "v1.minimal.example.com"},
        "spec": {
            "group": "minimal.example.com",
            "version": "v1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"namespace": "crud", "name": "minimal"},
        },
    },
    "CustomResourceDefinition": DEFINITION,
    "CertificateSigningRequest": {
        "spec": {"request": REQUEST, "signerName": "example.com/none", "usages": ["client auth"]}
    },
}


def minimal(api_version: str, kind: str) -> Object:
    """An object of that kind. Raises KeyError for one that is not known here."""
    found = (CORE if api_version == "v1" else OTHERS)[kind]
    return {
        "apiVersion": api_version,
        "kind": kind,
        **found,
        "metadata": {"name": "minimal", "labels": {"made": "minimal"}, **found.get("metadata", {})},
    }
