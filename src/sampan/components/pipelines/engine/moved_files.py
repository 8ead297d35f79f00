"""`StepFiles` for pods on other machines: laid out and kept here as ever, and moved to and fro by the pod itself.

What a step says about its files is a stranger's word here: it is followed only below the folders of this home that are
for steps. In the embedded cluster a step is the user, and could read the rest by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sampan.components.pipelines.engine.mover_pod import PLAN_ANNOTATION, Mover, add_mover
from sampan.components.pipelines.engine.step_files import LocalStepFiles, StepPaths, outermost
from sampan.components.pipelines.engine.transfer_plans import TransferPlan, owner_of, signed
from sampan.components.pipelines.store.artifacts import ArtifactRow
from sampan.store.artifacts.measuring import Measure


class MovedStepFiles(LocalStepFiles):
    def __init__(self, home: Path, mover: Mover, key: bytes) -> None:
        super().__init__(home)
        self._mover = mover
        self._key = key
        self.owner = owner_of(key)

    def pipeline_root(self, requested: str, namespace: str, pipeline: str) -> str:
        root = super().pipeline_root(requested, namespace, pipeline)
        if ".." not in root.split("/") and self._is_ours(root):
            return root
        # A folder elsewhere would be one of this machine, which is not the pod's.
        return super().pipeline_root(f"local://{root}", namespace, pipeline)

    def attach(self, pod: dict[str, Any], paths: StepPaths, inputs: Sequence[str]) -> None:
        add_mover(pod, outermost(paths.roots), self._mover)
        metadata = pod["metadata"]
        owner = f"{metadata['namespace']}/{metadata['name']}"
        plan = TransferPlan(owner, paths.folders, tuple(dict.fromkeys(inputs)))
        metadata["annotations"] = {
            **(metadata.get("annotations") or {}),
            PLAN_ANNOTATION: signed(plan, self._key),
        }

    def exists(self, uri: str) -> bool:
        return self._is_ours(uri) and super().exists(uri)

    def glance(self, artifact: ArtifactRow) -> bool | None:
        return self._is_ours(artifact.uri) and super().glance(artifact)

    def inspect(self, artifact: ArtifactRow) -> bool:
        return self._is_ours(artifact.uri) and super().inspect(artifact)

    def measure(self, uri: str) -> Measure | None:
        return super().measure(uri) if self._is_ours(uri) else None

    def remove(self, uri: str, namespace: str, kept: Sequence[str]) -> None:
        if self._is_ours(uri):
            super().remove(uri, namespace, kept)

    def publish(self, custom_path: str, uri: str, paths: StepPaths) -> bool:
        return self._is_ours(custom_path) and self._is_ours(uri) and super().publish(custom_path, uri, paths)

    def _is_ours(self, path: str) -> bool:
        if not path.startswith("/"):
            return False
        return any(
            Path(path).resolve().is_relative_to(root.resolve()) for root in (self._artifacts, self._work)
        )
