"""What serving is, without a cluster: routes, revisions, scaling, and the programs that run in pods."""
