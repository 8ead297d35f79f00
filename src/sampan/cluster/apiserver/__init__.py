"""A Kubernetes API server on SQL: storage, validation, watch, HTTP face, and the in-process Client.

`app` starts it; nothing else may import it. It knows no controller and no node: they are clients like any
other.
"""

from __future__ import annotations

from sampan.cluster.apiserver.podlogs import PodLogs
from sampan.cluster.apiserver.server import ApiServer

__all__ = ["ApiServer", "PodLogs"]
