"""Training jobs as steps of pipelines: `from sampan.sdk import training`. Needs kfp, when a pipeline is made."""

from sampan.components.training.sdk.launcher import OUTPUT
from sampan.components.training.sdk.steps import manifest, script

__all__ = ["OUTPUT", "manifest", "script"]
