"""The CustomResourceDefinitions of serving's kinds."""

from __future__ import annotations

from sampan.kube.meta import Object

DEFINITIONS: tuple[Object, ...] = ()
