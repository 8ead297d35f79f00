"""jobset.x-k8s.io JobSets, as upstream's controller runs them on a real cluster.

    spec         names, labels, and which Jobs belong to the present attempt
    jobs         pure: the Jobs to make, and what resuming changes about them
    policies     pure: what succeeding and failing Jobs mean for the set
    plan         pure: Jobs to create, delete, suspend and resume, and the status
    controller   the reconciler

Without its feature gates (RestartJob, InPlaceRestart, ElasticJobSet) and without exclusive placement on topology
domains, which one machine has none of. Source throughout: kubernetes-sigs/jobset pkg/controllers, v0.11.
"""
