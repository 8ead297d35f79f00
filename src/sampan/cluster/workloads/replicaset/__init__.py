"""apps/v1 ReplicaSets, as kube-controller-manager runs them.

    ranking      pure: which pods go first when there are too many
    status       pure: the status that follows from the pods
    controller   the reconciler

Source throughout: k8s.io/kubernetes/pkg/controller/replicaset, v1.33.
"""
