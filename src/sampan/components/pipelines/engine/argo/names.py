"""Names of nodes. Pure."""

from __future__ import annotations

from sampan.components.pipelines.engine.argo.node import ArgoNode, NodeType


def full_name(node: ArgoNode) -> str:
    """As Argo names nodes: by their places, from the workflow's name on."""
    if node.parent is None or (node.parent.type is NodeType.WORKFLOW and not node.hook):
        # The entrypoint is called as the workflow is.
        return node.name if node.parent is None else node.parent.name
    name = full_name(node.parent)
    if node.hook:
        return f"{name}.onExit" if node.hook == "exit" else f"{name}.hooks.{node.hook}"
    if node.type is NodeType.STEP_GROUP:
        return f"{name}{node.key}"
    if node.parent.type is NodeType.RETRY:
        return f"{name}({node.index})"
    if node.parent.type is NodeType.TASK_GROUP:
        return f"{name}{node.key[node.key.find('(') :]}"
    return f"{name}.{node.key}"
