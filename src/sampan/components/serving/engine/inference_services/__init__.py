"""What an InferenceService becomes, pure: pods, revisions, traffic, scaling, status.

spec        an InferenceService read: its components, what they extend pods by
names       of all that is made for one
addresses   its URLs, by the templates of `inferenceservice-config`
pods        a component as a pod template, without what is injected into it
scaling     how much there is to be of it
revisions   mode Knative: which revisions there are, and what they consist of
traffic     mode Knative: how much each revision gets
standard    mode Standard: Deployment, Service, HorizontalPodAutoscaler
failures    why pods do not serve
conditions  the set of conditions, as Knative keeps it
models      the part of the status that tells of the model
status      the whole of it
"""
