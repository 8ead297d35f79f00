"""What kube-controller-manager does on a real cluster, as far as one machine needs it.

    deployment      apps/v1 Deployments
    replicaset      apps/v1 ReplicaSets
    statefulset     apps/v1 StatefulSets
    daemonset       apps/v1 DaemonSets
    job             batch/v1 Jobs
    cronjob         batch/v1 CronJobs
    jobset          jobset.x-k8s.io JobSets
    hpa             autoscaling HorizontalPodAutoscalers
    garbage         ownerReferences: background, foreground and orphan deletion
    namespace       empties namespaces that are deleted
    serviceaccount  what every namespace has
    tokens          Secrets that hold the token of a service account
    quota           counts of ResourceQuotas
    clusterroles    ClusterRoles that are the sum of others
    volumes         folders for PersistentVolumeClaims
    children        whose an object is: ownerReferences, adoption by selector
    podcontrol      making and deleting the pods of a controller
    history         ControllerRevisions

Written against the Client protocol only. The composition root runs what `controllers` returns, beside the
scheduler, under a `sampan.reconcile.manager.Manager`.
"""

from sampan.cluster.workloads.registry import controllers
from sampan.cluster.workloads.tokens import Trust

__all__ = ["Trust", "controllers"]
