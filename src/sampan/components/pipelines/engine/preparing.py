"""A run's row as what can be driven, in whichever language it is written. Blocks: a large spec takes a while."""

from __future__ import annotations

import msgspec

from sampan.components.pipelines.api.argo.document import is_workflow
from sampan.components.pipelines.engine import ir_language
from sampan.components.pipelines.engine.argo import language as argo_language
from sampan.components.pipelines.engine.argo.locks import Locks
from sampan.components.pipelines.engine.ir_language import Surroundings
from sampan.components.pipelines.engine.language import Prepared
from sampan.components.pipelines.store.runs import RunRow


def prepare_run(run: RunRow, around: Surroundings, locks: Locks) -> Prepared:
    """Raises InvalidArgumentError."""
    spec = msgspec.json.decode(run.spec)
    if is_workflow(spec):
        return argo_language.prepare(run, spec, around, locks)
    return ir_language.prepare(run, spec, around)
