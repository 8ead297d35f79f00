"""ParallelFor: the items of a loop, one iteration's inputs, and what the loop gives in the end. Pure."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Container, Sequence
from dataclasses import dataclass, field

from sampan.components.pipelines.api.ir_model import Component, Iterator, Value
from sampan.components.pipelines.api.ir_values import kind_of, normalised, shortened, to_text
from sampan.components.pipelines.api.states import IOType
from sampan.components.pipelines.engine.errors import StepError
from sampan.components.pipelines.engine.resolve import Artifacts, Inputs, Outputs, Source, typed
from sampan.components.pipelines.store.artifacts import ArtifactRow


@dataclass(slots=True)
class Loop:
    """The progress of one loop instance: `absent` are the indexes still to start, `running` counts what runs."""

    items: Sequence[Value] | Sequence[ArtifactRow]
    limit: int
    absent: deque[int] = field(default_factory=deque)
    running: int = 0
    finished: int = 0
    outputs: dict[int, Outputs] = field(default_factory=dict)
    advancing: bool = False
    """Whether iterations are being started right now."""

    @classmethod
    def over(
        cls, items: Sequence[Value] | Sequence[ArtifactRow], limit: int, begun: Container[int] = ()
    ) -> Loop:
        """`begun` are the iterations that exist already."""
        return cls(items, limit, deque(index for index in range(len(items)) if index not in begun))

    @property
    def may_start(self) -> bool:
        return bool(self.absent) and (not self.limit or self.running < self.limit)

    @property
    def is_over(self) -> bool:
        return self.finished == len(self.items)


def loop_items(iterator: Iterator, inputs: Inputs) -> Sequence[Value] | Sequence[ArtifactRow]:
    """What the loop runs over. Raises StepError when it is not a list."""
    if iterator.over_artifacts:
        return inputs.artifacts.get(iterator.items_input, ())
    if not iterator.items_input:
        raw: Value = iterator.raw_items
    else:
        raw = inputs.parameters.get(iterator.items_input)
    if raw is None:
        raise StepError(f'the loop\'s items, input "{iterator.items_input}", are null')
    if isinstance(raw, str):
        # A list may arrive as the text that a component printed.
        try:
            raw = normalised(json.loads(raw))
        except (ValueError, RecursionError):
            raise StepError(f"the loop's items are not a JSON list: {shortened(to_text(raw))!r}") from None
    if not isinstance(raw, list):
        raise StepError(f"the loop's items are {kind_of(raw)}, not a list: {shortened(to_text(raw))!r}")
    return raw


def shared_inputs(iterator: Iterator, component: Component, inputs: Inputs) -> Inputs:
    """What all iterations have: the loop's inputs. A copy.

    A body that is a step does not see the items; one that is a DAG may loop over the same items again.
    """
    parameters: dict[str, Value] = dict(inputs.parameters)
    artifacts: dict[str, Artifacts] = dict(inputs.artifacts)
    if component.dag is None:
        (artifacts if iterator.over_artifacts else parameters).pop(iterator.items_input, None)
    return Inputs(parameters, artifacts, dict(inputs.sources))


def iteration_inputs(
    iterator: Iterator, component: Component, inputs: Inputs, index: int, loop: Loop
) -> Inputs:
    """The inputs of the `index`-th iteration: what all have, and its item."""
    shared = shared_inputs(iterator, component, inputs)
    parameters, artifacts, sources = shared.parameters, shared.artifacts, shared.sources
    item = loop.items[index]
    name = iterator.item_input
    if isinstance(item, ArtifactRow):
        artifacts[name] = (item,)
    else:
        declared = component.input_parameters.get(name)
        parameters[name] = typed(name, item, declared) if declared else item
    kind = IOType.ITERATOR_INPUT if iterator.items_input else IOType.ITERATOR_INPUT_RAW
    sources[name] = Source(kind)
    return Inputs(parameters, artifacts, sources)


def collected(component: Component, loop: Loop) -> Outputs:
    """Outputs of all iterations in their order; one that gave none drops out.

    Parameters become lists, and those of nested loops lists of lists; artifacts become one flat list, which is all
    that a list of artifacts can be.
    """
    if component.dag is not None:
        parameter_keys, artifact_keys = set(component.dag.parameters), set(component.dag.artifacts)
    else:
        parameter_keys, artifact_keys = set(component.output_parameters), set(component.output_artifacts)
    outputs = Outputs({key: [] for key in parameter_keys})
    artifacts: dict[str, list[ArtifactRow]] = {key: [] for key in artifact_keys}
    for index in sorted(loop.outputs):
        given = loop.outputs[index]
        for key in parameter_keys & given.parameters.keys():
            outputs.parameters[key].append(given.parameters[key])
        for key in artifact_keys & given.artifacts.keys():
            artifacts[key].extend(given.artifacts[key])
    outputs.artifacts = {key: tuple(found) for key, found in artifacts.items()}
    return outputs
