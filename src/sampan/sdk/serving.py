"""Serving as a step of pipelines: `from sampan.sdk import serving`. Needs kfp, when a pipeline is made."""

from sampan.components.serving.sdk.steps import deploy

__all__ = ["deploy"]
