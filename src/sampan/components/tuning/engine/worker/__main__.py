"""`python -m sampan.components.tuning.engine.worker FD`: the template, told what to do on the socket FD."""

from __future__ import annotations

import os
import socket
import sys

from sampan.components.tuning.engine.worker.template import Template

# One core is enough for what is computed here, and threads would not survive the forks.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

Template(socket.socket(fileno=int(sys.argv[1]))).run()
