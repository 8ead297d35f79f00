"""Decides on which node a pod runs, and says why one cannot.

constraints  taints, tolerations and node affinity, in a form that can be matched
demand       what a pod asks for, computed once: resources, constraints, and a shape that equal pods share
node         one node with running totals of what its pods take
filters      pure: the reasons why a pod does not fit a node, in Kubernetes' words
selection    pure: the best of the nodes that fit, or the message that says why there is none
backlog      the pods that wait, by priority and age, those of one shape together
service      the loop over the Client
"""

from sampan.cluster.scheduler.service import Scheduler

__all__ = ["Scheduler"]
