"""apps/v1 DaemonSets, as kube-controller-manager runs them.

    placement    pure: on which nodes a pod belongs, and the pod for one of them
    plan         pure: pods to create and delete, node by node
    status       pure: the status that follows
    controller   the reconciler

Source throughout: k8s.io/kubernetes/pkg/controller/daemon, v1.33.
"""
