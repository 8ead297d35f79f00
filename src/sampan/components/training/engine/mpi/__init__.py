"""What an MPIJob becomes, of either contract (`sampan.components.training.api.mpi_version`). Pure.

    names    what its children are called, and their files
    v1       training-operator's: pods, and a launcher that starts ranks by `kubectl exec`
    v2       mpi-operator's: workers run sshd, and the launcher is a Job
    status   of mpi-operator's
    keys     the key pair by which ssh lets the launcher in

`sampan.components.training.controller.mpi` reads and writes. What jobs of all kinds share is in
`sampan.components.training.engine.jobs`.
"""
