"""The plugins, in the order in which they are asked. Whoever adds a policy adds its line here.

For `assembling`.
"""

from __future__ import annotations

from sampan.components.training.engine.trainer.contract import Plugin

PLUGINS: tuple[Plugin, ...] = ()
