"""Sampan: a whole Kubeflow that runs without a cluster, and unchanged on one.

`docs/architecture.md` is the map; the folders below carry the same names.
"""

__version__ = "0.1.0"
