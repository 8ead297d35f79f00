"""MPIJob, of either contract: `v1` reconciles training-operator's, `v2` mpi-operator's, `owned` writes what both own.

They share one cache of the kind; each leaves the other's jobs alone (`sampan.components.training.api.mpi_version`).
"""
