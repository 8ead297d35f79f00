"""The list of workload controllers, written out by hand."""

from __future__ import annotations

from pathlib import Path

from sampan.client.protocol import Client
from sampan.cluster.workloads.clusterroles import AggregationReconciler
from sampan.cluster.workloads.cronjob.controller import CronJobReconciler
from sampan.cluster.workloads.daemonset.controller import DaemonSetReconciler
from sampan.cluster.workloads.deployment.controller import DeploymentReconciler
from sampan.cluster.workloads.disruption.controller import DisruptionReconciler
from sampan.cluster.workloads.garbage.collector import GarbageCollector
from sampan.cluster.workloads.hpa.controller import HorizontalPodAutoscalerReconciler
from sampan.cluster.workloads.hpa.usage import Provider
from sampan.cluster.workloads.job.backoff import Backoff
from sampan.cluster.workloads.job.controller import JobReconciler
from sampan.cluster.workloads.jobset.controller import JobSetReconciler
from sampan.cluster.workloads.namespace import NamespaceReconciler
from sampan.cluster.workloads.nodes.controller import NodeReconciler
from sampan.cluster.workloads.podgroup.controller import PodGroupReconciler
from sampan.cluster.workloads.quota import QuotaReconciler
from sampan.cluster.workloads.replicaset.controller import ReplicaSetReconciler
from sampan.cluster.workloads.serviceaccount import ServiceAccountReconciler
from sampan.cluster.workloads.statefulset.controller import StatefulSetReconciler
from sampan.cluster.workloads.tokens import NO_TRUST, TokenReconciler, Trust
from sampan.cluster.workloads.volumes.controller import VolumeReconciler
from sampan.cluster.workloads.volumes.ephemeral import EphemeralVolumeReconciler
from sampan.kube.kinds import POD_GROUPS, VOLCANO_POD_GROUPS, KindRegistry
from sampan.lib.clock import Clock
from sampan.reconcile.cache import Caches
from sampan.reconcile.manager import Runnable


def controllers(  # noqa: PLR0913  one call, in the composition root
    client: Client,
    clock: Clock,
    kinds: KindRegistry,
    volumes_root: Path,
    caches: Caches | None = None,
    job_backoff: Backoff | None = None,
    trust: Trust = NO_TRUST,
    usage: Provider = lambda: None,
) -> list[Runnable]:
    """All of them, in the order in which to start them.

    `caches` may be shared with others of the same client, such as the scheduler. Volumes become folders below
    `volumes_root`, which is made when it is first needed. `usage` gives whoever knows what pods use, once there is one.
    """
    caches = caches or Caches(client)
    return [
        ServiceAccountReconciler(client, caches, trust.root_ca).controller(),
        TokenReconciler(client, caches, trust).controller(),
        AggregationReconciler(client, caches).controller(),
        QuotaReconciler(client, clock, caches, kinds).controller(),
        NamespaceReconciler(client, clock, caches, kinds).controller(),
        VolumeReconciler(client, clock, caches, volumes_root).controller(),
        EphemeralVolumeReconciler(client, caches).controller(),
        JobReconciler(client, clock, caches, job_backoff or Backoff()).controller(),
        ReplicaSetReconciler(client, clock, caches).controller(),
        DeploymentReconciler(client, clock, caches).controller(),
        StatefulSetReconciler(client, clock, caches).controller(),
        JobSetReconciler(client, clock, caches).controller(),
        CronJobReconciler(client, clock, caches).controller(),
        DaemonSetReconciler(client, clock, caches).controller(),
        NodeReconciler(client, clock, caches).controller(),
        DisruptionReconciler(client, clock, caches).controller(),
        HorizontalPodAutoscalerReconciler(client, clock, caches, kinds, usage).controller(),
        PodGroupReconciler(client, clock, caches, POD_GROUPS).controller(),
        PodGroupReconciler(client, clock, caches, VOLCANO_POD_GROUPS).controller(),
        # Last: it borrows the caches that the others asked for.
        GarbageCollector(client, caches, kinds),
    ]
