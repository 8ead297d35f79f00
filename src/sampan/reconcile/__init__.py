"""The controller runtime: caches fed by watches, rate-limited work queues, level-based reconcilers.

    reconciler   the contract of a reconciler: Request, Result, TerminalError
    workqueue    what is to be reconciled next: deduplicated, with back-off for each item
    cache        the objects of one kind, kept current by a watch; `Caches` shares one per kind
    controller   workers that take requests from a queue filled by caches
    apply        owned children, status and finalizers, written only when something changes
    events       Kubernetes Events about an object
    manager      starts caches and controllers in order

Called by `components` and `cluster`, which must look the same to it: it knows the Client protocol and no
kind.
"""
