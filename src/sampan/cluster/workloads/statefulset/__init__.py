"""apps/v1 StatefulSets, as kube-controller-manager runs them.

    spec         a StatefulSet's spec as numbers
    identity     pure: the names, labels and volumes of each pod, and its claims
    plan         pure: the next steps, in order, and what they wait for
    status       pure: the status that follows from the pods
    claims       PersistentVolumeClaims: made before the pod, owned as the retention policy says
    controller   the reconciler

Source throughout: k8s.io/kubernetes/pkg/controller/statefulset, v1.33.
"""
