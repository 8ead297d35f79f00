"""Argo Workflows as a language of the engine (decision 18): `language.prepare` gives the engine a run's machine.

    machine     one run: events in, a turn out; settles what they made possible
    tree        the nodes, their phases, what must be looked at again
    beginning   a node begins: its gates (parallelism, locks, memoization), then what its template is
    steps, dags, retrying   what composite nodes do when something below them has changed
    hooks       lifecycle hooks and exit handlers
    leaves      pods, suspensions, operations: what the driver's events are about
    scoping     the variables that a field may name
    podplan, emissary, collecting   from a template to a pod, and back from its files to outputs
    resources, http, claims, configmaps   operations: what a template does without a pod
    locks       mutexes and semaphores over all runs of this engine
    rows        nodes to rows and back
    rerun       what of a run that is over stays when it is retried

All of Argo's state is in the rows: a machine made anew from them goes on where the former one was.
"""
