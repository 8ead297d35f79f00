"""apps/v1 Deployments, as kube-controller-manager runs them.

    spec         a Deployment's spec as numbers, and the annotations by which revisions are known
    revisions    pure: which ReplicaSet is the new one, what it is to carry, which old ones may go
    rolling      pure: how far each ReplicaSet may grow or shrink now
    scaling      pure: how a change of spec.replicas is shared among ReplicaSets
    plan         pure: the two above and Recreate, as changes of ReplicaSets
    status       pure: the status and its conditions
    controller   the reconciler

Source throughout: k8s.io/kubernetes/pkg/controller/deployment, v1.33.
"""
