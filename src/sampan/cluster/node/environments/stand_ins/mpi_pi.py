#!/usr/bin/env python3
"""`pi` of the image `mpioperator/mpi-pi`: ranks throw darts at a square, and the first tells how many hit the circle.

Source of what it prints: kubeflow/mpi-operator 0.8 examples/v2beta1/pi/pi.cc.
"""

from __future__ import annotations

import numpy as np
from mpi4py import MPI

DARTS = 10_000_000
AT_ONCE = 1_000_000


def main() -> None:
    world = MPI.COMM_WORLD
    if world.rank == 0:
        print(f"Workers: {world.size}", flush=True)
    print(f"Rank {world.rank} on host {MPI.Get_processor_name()}", flush=True)
    generator = np.random.default_rng(world.rank)
    hits = 0
    for _ in range(DARTS // AT_ONCE):
        x, y = generator.uniform(-1.0, 1.0, (2, AT_ONCE))
        hits += int(np.count_nonzero(x * x + y * y <= 1.0))
    total = world.reduce(hits, op=MPI.SUM, root=0)
    if world.rank == 0:
        print(f"pi is approximately {4 * total / DARTS / world.size:.16f}", flush=True)
    world.Barrier()


if __name__ == "__main__":
    main()
