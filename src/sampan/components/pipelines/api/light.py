"""The mark of a light component, and the decorator that sets it. No imports: it is used where pipelines are written."""

from __future__ import annotations

from typing import Any, TypeVar

MARK = "SAMPAN_LIGHT"
"""A variable of the component's container. Anywhere but here it is just a variable."""

C = TypeVar("C")


def light(component: C) -> C:
    """Marks a component of the kfp SDK as light: here it is called inside a worker that its run keeps.

        @light
        @dsl.component
        def add(a: int, b: int) -> int:
            return a + b

    A call costs a few milliseconds. Light steps of a run share processes, one call at a time in each, so a component
    that changes what modules keep, or crashes its process, can touch those after it. Elsewhere, and on a cluster, it
    is an ordinary component. Raises TypeError for what is no component made from a function.
    """
    spec: Any = getattr(component, "component_spec", None)
    container = getattr(getattr(spec, "implementation", None), "container", None)
    if container is None:
        raise TypeError("@light goes above @dsl.component: it marks a component made from a function")
    container.env = {**(container.env or {}), MARK: "true"}
    return component
