"""batch/v1 CronJobs, as kube-controller-manager runs them.

    ticks        pure: which tick is due, and when the next one is
    status       pure: the status that follows from the Jobs, and which finished ones are too many
    controller   the reconciler

Source throughout: k8s.io/kubernetes/pkg/controller/cronjob, v1.33.
"""
