"""batch/v1 Jobs, as kube-controller-manager runs them.

    spec         a Job's spec with its defaults, and what its pods are called
    indexes      sets of completion indexes and their text form
    accounting   pure: which pods are active, and which finished pods are not counted yet
    policy       pure: podFailurePolicy and successPolicy
    backoff      pure: how long to wait after failures
    plan         pure: what to create, delete and conclude
    status       pure: the status that follows
    pods         pure: the pod for an index
    controller   the reconciler

Source throughout: k8s.io/kubernetes/pkg/controller/job, v1.33.
"""
