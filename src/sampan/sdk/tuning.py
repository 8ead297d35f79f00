"""Tuning as steps of pipelines: `from sampan.sdk import tuning`. Needs kfp, when a pipeline is made."""

from sampan.app.trial_templates import template
from sampan.components.tuning.sdk.steps import FunctionStep, manifest

function = FunctionStep(template)

__all__ = ["function", "manifest"]
