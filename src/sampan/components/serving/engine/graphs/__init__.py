"""An InferenceGraph: its services resolved to addresses, the router that serves it, and its status. Pure.

    config     what `inferenceservice-config` says of routers
    resolving  steps that name a service, as the router is told of them
    desired    the router as a pod template
    status     conditions and address

The program that then runs in the pod is `engine/programs/router`.
"""
