"""Decides on which node a pod runs, makes room for it, and says why it must wait.

constraints  taints, tolerations and node affinity, in a form that can be matched
affinity     pod affinity, anti-affinity and topology spread
demand       what a pod asks for, computed once: resources, constraints, and a shape that equal pods share
node, world  the nodes with running totals of what their pods take; and what else placing looks at
filters      pure: the reasons why a pod does not fit a node, in Kubernetes' words
selection    pure: the best of the nodes that fit, or what stands against each
preemption   pure: which pods must go so that others can start
gangs        pure: groups of pods of which all start, or none
claims       pure: what a pod's claims say about where it may run; `claiming` keeps that from the watches
backlog      the pods that wait, by priority and age, those of one shape together
placer       the decisions, on the state of all the above; no waiting, no API
explain      pure: what holds a pod, and what would free it; `telling` says so, not too often
writing      bindings, nominations and the end of victims
service      the loop over the Client

Nothing is imported here: settings are read by every command.
"""
