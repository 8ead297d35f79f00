"""The schema of a JobSet's spec, as training runtimes hold one.

Source: kubernetes-sigs/jobset 0.11 api/jobset/v1alpha2, by way of kubeflow/trainer 2.3 manifests/base/crds.
"""

from __future__ import annotations

from sampan.kube.crd_schemas import (
    BOOLEAN,
    CORE,
    INT32,
    TEXT,
    Schema,
    a_list,
    an_object,
    built_in,
    by_name,
    immutable,
    ruled,
)

_IMMUTABLE = "Value is immutable"
_ATOMIC = {"x-kubernetes-list-type": "atomic"}
_INTEGER: Schema = {"type": "integer"}


def _one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


_REPLICATED_JOB = an_object(
    {
        "name": TEXT,
        "groupName": {**TEXT, "default": "default"},
        "replicas": {**INT32, "default": 1},
        "template": built_in("io.k8s.api.batch.v1.JobTemplateSpec"),
        "dependsOn": immutable(
            by_name(
                an_object({"name": TEXT, "status": _one_of("Ready", "Complete")}, "name", "status"),
                maxItems=5,
            ),
            _IMMUTABLE,
        ),
    },
    "name",
    "template",
)
_FAILURE_RULE = an_object(
    {
        "name": TEXT,
        "action": _one_of(
            "FailJobSet",
            "RestartJobSet",
            "RestartJobSetAndIgnoreMaxRestarts",
            "RestartJob",
            "RestartJobAndIgnoreMaxRestarts",
        ),
        "onJobFailureReasons": a_list(TEXT),
        "onJobFailureMessagePatterns": a_list(TEXT),
        "targetReplicatedJobs": a_list(TEXT, **_ATOMIC),
    },
    "action",
    "name",
)
_FAILURE_POLICY = an_object(
    {
        "maxRestarts": INT32,
        "restartStrategy": {
            **_one_of("Recreate", "BlockingRecreate", "InPlaceRestart"),
            "default": "Recreate",
        },
        "rules": a_list(_FAILURE_RULE),
    }
)
_CLAIM_POLICY = ruled(
    an_object(
        {
            "retentionPolicy": an_object(
                {"whenDeleted": {**_one_of("Delete", "Retain"), "default": "Delete"}}
            ),
            "templates": a_list(built_in(f"{CORE}.PersistentVolumeClaim"), maxItems=50, **_ATOMIC),
        }
    ),
    "self.templates.all(t, !has(t.metadata.namespace) || size(t.metadata.namespace) == 0)",
    "namespace cannot be set for VolumeClaimPolicies templates",
)
SPEC = ruled(
    an_object(
        {
            "replicatedJobs": by_name(_REPLICATED_JOB),
            "network": immutable(
                an_object(
                    {"enableDNSHostnames": BOOLEAN, "publishNotReadyAddresses": BOOLEAN, "subdomain": TEXT}
                ),
                _IMMUTABLE,
            ),
            "successPolicy": immutable(
                an_object(
                    {"operator": _one_of("All", "Any"), "targetReplicatedJobs": a_list(TEXT, **_ATOMIC)},
                    "operator",
                ),
                _IMMUTABLE,
            ),
            "failurePolicy": immutable(_FAILURE_POLICY, _IMMUTABLE),
            "startupPolicy": immutable(
                an_object({"startupPolicyOrder": _one_of("AnyOrder", "InOrder")}, "startupPolicyOrder"),
                _IMMUTABLE,
            ),
            "coordinator": an_object(
                {"jobIndex": _INTEGER, "podIndex": _INTEGER, "replicatedJob": TEXT}, "replicatedJob"
            ),
            "suspend": BOOLEAN,
            "managedBy": TEXT,
            "ttlSecondsAfterFinished": {**INT32, "minimum": 0},
            "volumeClaimPolicies": immutable(a_list(_CLAIM_POLICY, maxItems=50, **_ATOMIC), _IMMUTABLE),
        }
    ),
    "!(has(self.startupPolicy) && self.startupPolicy.startupPolicyOrder == 'InOrder'"
    " && self.replicatedJobs.exists(x, has(x.dependsOn)))",
    "StartupPolicy and DependsOn APIs are mutually exclusive",
)
