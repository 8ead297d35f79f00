"""TrainJobs that fine-tune with torchtune: models, nodes and arguments that it can do.

Source: kubeflow/trainer 2.3 pkg/runtime/framework/plugins/torch/torchtune.go (validateTorchTune).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.training.engine.trainer import resources, torchtune
from sampan.components.training.engine.trainer.contract import UnbuildableError
from sampan.components.training.engine.validation.reading import at, number, texts
from sampan.kube.fielderrors import FieldErrors

_LLAMA_1B, _LLAMA_3B, _LLAMA_70B, _QWEN = "llama3_2/1B", "llama3_2/3B", "llama3_3/70B", "qwen2_5/1.5B"
_MODELS = (_LLAMA_1B, _LLAMA_3B, _LLAMA_70B, _QWEN)
_MANAGED = ("output_dir", "tokenizer.path", "checkpointer.checkpoint_dir", "tokenizer.merges_file")


def check(runtime: str, trainer: Mapping[str, Any], per_node: Mapping[str, Any], errors: FieldErrors) -> None:
    """`per_node` are the resources of a node, the TrainJob's own or the runtime's."""
    model = torchtune.model_of(runtime)
    if model not in _MODELS:
        detail = f"must have a supported pretrained model, invalid model configured: {model}"
        errors.invalid("spec.runtimeRef.name", runtime, detail)
    nodes = number(trainer.get("numNodes")) or 1
    if nodes > 1 and model != _LLAMA_70B:
        errors.invalid("spec.trainer.numNodes", nodes, f"must be 1 for {model} model")
    args = texts(trainer.get("args"))
    wanted = number(trainer.get("numProcPerNode"))
    processes: int | str = "auto" if wanted is None else wanted
    _, config = torchtune.recipe_of(runtime, args, nodes, processes, _gpus(per_node))
    if "_qlora" in config:
        _check_qlora(runtime, model, config, processes, trainer, errors)
    # With several nodes the recipe is the full one, whatever the arguments say of LoRA.
    alone = torchtune.recipe_of(runtime, args, 1, processes, 0)[0]
    if nodes > 1 and alone.startswith("lora"):
        detail = "LoRA fine-tuning is not supported for multi-node training in TorchTune"
        errors.invalid("spec.trainer.numNodes", nodes, detail)
    for place, arg in enumerate(args):
        key = arg.partition("=")[0]
        if key in _MANAGED:
            detail = f'must not set immutable config "{key}" in trainer args; it is managed by the runtime'
            errors.invalid(f"spec.trainer.args[{place}]", arg, detail)


def _check_qlora(
    runtime: str,
    model: str,
    config: str,
    processes: int | str,
    trainer: Mapping[str, Any],
    errors: FieldErrors,
) -> None:
    if model == _QWEN:
        errors.invalid("spec.runtimeRef.name", runtime, f"QLoRA is not supported for {model} model")
    if not config.endswith("_single_device") and model in (_LLAMA_1B, _LLAMA_3B):
        detail = f"must be auto or 1 for {model} model when using QLoRA"
        errors.invalid("spec.trainer.numProcPerNode", processes, detail)
        detail = f"must have gpu resource with value 1 for {model} model when using QLoRA"
        errors.invalid("spec.trainer.resourcesPerNode", trainer.get("resourcesPerNode"), detail)


def _gpus(per_node: Mapping[str, Any]) -> int:
    try:
        return resources.gpus({key: dict(at(per_node, key)) for key in ("limits", "requests")})
    except UnbuildableError:
        # A quantity that is none is told of by the schema.
        return 0
