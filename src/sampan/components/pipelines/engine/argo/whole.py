"""The workflow as a whole: its arguments, claims and locks, its entrypoint, exit handler, shutdown and end.

Source: workflow/controller/operator.go (operate), argo-workflows v3.7.
"""

from __future__ import annotations

from sampan.components.pipelines.api.argo.document import LOCAL
from sampan.components.pipelines.api.argo.durations import seconds
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.tags import as_text, substitute
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.engine.argo.beginning import Control, node_type
from sampan.components.pipelines.engine.argo.binding import artifact_of
from sampan.components.pipelines.engine.argo.claims import DropClaims, MakeClaims, claims
from sampan.components.pipelines.engine.argo.configmaps import ReadConfigMap, value_of
from sampan.components.pipelines.engine.argo.hooks import Hooks
from sampan.components.pipelines.engine.argo.leaves import Leaves
from sampan.components.pipelines.engine.argo.locking import Locking
from sampan.components.pipelines.engine.argo.node import ArgoNode, Given, NodeType, Phase
from sampan.components.pipelines.engine.argo.scoping import Globals
from sampan.components.pipelines.engine.argo.tree import Tree
from sampan.components.pipelines.engine.turn import Timer

_MAIN = "main"


class Whole:
    def __init__(self, tree: Tree, values: Globals, leaves: Leaves, hooks: Hooks, control: Control) -> None:
        self._tree = tree
        self._globals = values
        self._leaves = leaves
        self._hooks = hooks
        self._control = control
        self._locking = Locking(tree, leaves)
        self._context = tree.context
        self._spec = tree.context.document.spec
        self._final = RuntimeState.FAILED
        self.is_over = False

    def begin(self, root: ArgoNode) -> None:
        self._control.is_suspended = bool(self._spec.get("suspend"))
        if self._control.is_suspended:
            root.kept["suspended"] = True
        self._set_limits(root)

    def take_up(self, root: ArgoNode) -> None:
        """After a restart."""
        self._control.is_suspended = bool(root.kept.get("suspended"))
        if shutdown := root.kept.get("shutdown"):
            self._control.shutdown, self._control.why = shutdown["strategy"], shutdown["why"]
            self._final = RuntimeState(shutdown["final"])
        self._set_limits(root)

    def _set_limits(self, root: ArgoNode) -> None:
        """`parallelism` and `activeDeadlineSeconds` of the spec, which may name variables."""
        variables = self._globals.variables(root)
        if (limit := self._spec.get("parallelism")) is not None:
            self._leaves.parallelism = int(substitute(str(limit), variables))
        if (active := self._spec.get("activeDeadlineSeconds")) is not None:
            elapsed = (self._context.now() - root.started_at) / 1e6
            left = seconds(substitute(str(active), variables)) - elapsed
            self._tree.turn.timers.append(Timer("", max(left, 0.0)))

    def look(self, root: ArgoNode) -> None:
        """Something about the workflow has changed."""
        if root.phase.is_final:
            return
        main = root.children.get(_MAIN)
        try:
            if main is None:
                self._begin_main(root)
                if _MAIN in root.children:
                    self._tree.mark(root)
                return
        except ArgoError as error:
            self._end(root, Phase.ERROR, error.message)
            return
        if self._hooks.has_workflow_hooks and not self._control.shutdown:
            self._hooks.look_at_workflow(root, is_over=main.is_complete)
        if not main.is_complete:
            return
        if main.is_daemoned:
            self._leaves.end_daemons(root)
        if self._control.shutdown == "Stop":
            self._hooks.look_at_workflow(root, is_over=True)
        if any(not child.is_complete for child in root.hook_children) or self._leaves.is_busy:
            return
        self._clean_up(root, main)

    # Beginning

    def _begin_main(self, root: ArgoNode) -> None:
        """Raises ArgoError."""
        if self._control.shutdown:
            if not self._leaves.flying:
                self._end(root, Phase.FAILED, self._control.why)
            return
        if self._control.is_suspended or not self._has_arguments(root):
            return
        variables = self._globals.variables(root)
        if not self._locking.has_locks(root, substitute(self._spec.get("synchronization"), variables)):
            return
        wanted = substitute(
            claims(self._context.name, self._context.namespace, self._spec, self._context.owner), variables
        )
        if wanted and self._leaves.ask(root, MakeClaims(root.id, wanted)) is None:
            return
        name = as_text(substitute(str(self._spec.get("entrypoint", "")), variables))
        called = self._context.document.find(LOCAL, name)
        if called is None:
            raise ArgoError(f'spec.entrypoint: there is no template "{name}"')
        given = Given(dict(self._globals.parameters))
        for item in (self._spec.get("arguments") or {}).get("artifacts") or ():
            artifact = artifact_of(item, variables)
            if artifact is not None:
                given.artifacts[str(item.get("name", ""))] = artifact
        self._tree.add(root, _MAIN, node_type(called), called, given, name=self._context.name)

    def _has_arguments(self, root: ArgoNode) -> bool:
        """Whether all arguments have their values; False while ConfigMaps are being read."""
        if root.inputs.parameters or root.kept.get("bound"):
            self._take_arguments(root)
            return True
        found: dict[str, str] = {}
        variables = self._globals.variables(root)
        for item in (self._spec.get("arguments") or {}).get("parameters") or ():
            name = str(item.get("name", ""))
            if name in self._context.parameters:
                found[name] = self._context.parameters[name]
                continue
            if item.get("value") is not None:
                found[name] = as_text(substitute(item["value"], variables))
                continue
            source = item.get("valueFrom") or {}
            value = item.get("default", source.get("default"))
            if (reference := source.get("configMapKeyRef")) is not None:
                reference = substitute(reference, variables)
                data = self._leaves.ask(root, ReadConfigMap(root.id, str(reference.get("name", ""))))
                if data is None:
                    return False
                value = value_of(data, reference, value, f"spec.arguments.parameters.{name}")
            if value is not None:
                found[name] = as_text(value)
        root.inputs.parameters = found
        root.kept["bound"] = True
        self._tree.touch(root)
        self._take_arguments(root)
        return True

    def _take_arguments(self, root: ArgoNode) -> None:
        self._globals.parameters = root.inputs.parameters
        self._globals.forget()

    # Stopping

    def suspend(self, *, suspended: bool) -> None:
        root = self._tree.root
        if root is None or self._control.is_suspended == suspended:
            return
        self._control.is_suspended = suspended
        root.kept["suspended"] = suspended
        self._tree.touch(root)
        self._tree.mark(root)
        if not suspended:
            for node in self._tree.nodes.values():
                if not node.has_begun and not node.phase.is_final:
                    self._tree.mark(node)

    def shut_down(self, strategy: str, why: str, final: RuntimeState) -> None:
        """Ends everything under way; with `Stop`, exit handlers run then."""
        root = self._tree.root
        if (
            self.is_over
            or root is None
            or self._control.shutdown == "Terminate"
            or self._control.shutdown == strategy
        ):
            return
        if not self._control.shutdown:
            self._final = final
            self._control.why = why
        self._control.shutdown = strategy
        root.kept["shutdown"] = {"strategy": strategy, "why": self._control.why, "final": self._final.value}
        self._tree.touch(root)
        if self._final is RuntimeState.CANCELED:
            self._tree.set_run(RuntimeState.CANCELING)
        for node in list(root.below()):
            if self._control.forbids(node):
                self._stop(node, self._control.why)
        self._tree.mark(root)

    def stop_below(self, node: ArgoNode, message: str) -> None:
        """The node has taken too long: all within it ends."""
        for child in list(node.below()):
            self._stop(child, message)
        self._stop(node, message)
        if not node.phase.is_final:
            self._tree.finish(node, Phase.FAILED, message)

    def _stop(self, node: ArgoNode, message: str) -> None:
        """A leaf ends; what is composed of others ends by them."""
        if node.phase.is_final:
            return
        node.is_stopped = True
        if node.type in (
            NodeType.STEPS,
            NodeType.DAG,
            NodeType.RETRY,
            NodeType.STEP_GROUP,
            NodeType.TASK_GROUP,
        ):
            self._tree.touch(node)
            self._tree.mark(node)
            return
        self._leaves.stop(node, Phase.FAILED, message)

    # Ending

    def _clean_up(self, root: ArgoNode, main: ArgoNode) -> None:
        made = claims(self._context.name, self._context.namespace, self._spec, None)
        strategy = (self._spec.get("volumeClaimGC") or {}).get("strategy") or "OnWorkflowSuccess"
        # Upstream's default keeps the claims of a workflow that failed, so that it can be tried again.
        drops = strategy == "OnWorkflowCompletion" or main.phase is Phase.SUCCEEDED
        names = [claim["metadata"]["name"] for claim in made]
        if names and drops and self._leaves.ask(root, DropClaims(root.id, names)) is None:
            return
        root.outputs = main.outputs
        handler = root.children.get("hooks.exit")
        if self._control.shutdown:
            self._end(root, Phase.FAILED, self._control.why)
        elif main.phase.is_bad:
            self._end(root, main.phase, main.message)
        elif handler is not None and handler.phase.is_bad:
            self._end(root, handler.phase, f"exit handler: {handler.message}")
        else:
            self._end(root, Phase.SUCCEEDED)

    def _end(self, root: ArgoNode, phase: Phase, message: str = "") -> None:
        if self._control.shutdown:
            root.is_stopped = self._final is RuntimeState.CANCELED
        self._tree.finish(root, phase, message)
        self._context.locks.release(root.id)
        self.is_over = True
        if self._control.shutdown:
            error = message if self._final is RuntimeState.FAILED else ""
            self._tree.set_run(self._final, error)
        elif phase is Phase.SUCCEEDED:
            self._tree.set_run(RuntimeState.SUCCEEDED)
        else:
            self._tree.set_run(RuntimeState.FAILED, message)
