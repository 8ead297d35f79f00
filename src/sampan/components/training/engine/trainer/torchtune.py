"""torchtune as a runtime's trainer: which recipe and configuration a TrainJob's `tune run` is to use. For `torch`.

Source: kubeflow/trainer pkg/runtime/framework/plugins/torch/torchtune.go, pkg/constants/constants.go, v2.3.
"""

from __future__ import annotations

from collections.abc import Sequence

from sampan.components.training.engine.trainer.contract import NODE, TRAINER, TRAINER_PORT, Info
from sampan.kube import meta

ENTRYPOINT = ["tune", "run"]
_MANAGED = ("output_dir", "tokenizer.path", "checkpointer.checkpoint_dir", "tokenizer.merges_file")
"""What the runtime decides, because its volumes do."""
_SINGLE, _DISTRIBUTED = "single_device", "distributed"


def is_used(info: Info) -> bool:
    return list(info.trainer.get("command") or ()) == ENTRYPOINT


def complete_command(info: Info, nodes: int, processes: int | str, gpus: int) -> None:
    """Adds what follows `tune run`: rendezvous, recipe, configuration, and the runtime's own settings."""
    command = list(ENTRYPOINT)
    if nodes > 1 or (processes > 1 if isinstance(processes, int) else gpus > 1):
        command.append(f"--rdzv_endpoint={info.name}-{NODE}-0-0.{info.name}:{TRAINER_PORT}")
    args = [str(each) for each in info.trainer.get("args") or ()]
    reference = meta.spec(info.train_job).get("runtimeRef") or {}
    recipe, config = recipe_of(str(reference.get("name") or ""), args, nodes, processes, gpus)
    info.trainer["command"] = [*command, recipe, "--config", config, *_of_runtime(info)]


def recipe_of(
    runtime: str, args: Sequence[str], nodes: int, processes: int | str, gpus: int
) -> tuple[str, str]:
    """The recipe and the configuration's name."""
    model = model_of(runtime)
    is_single = nodes == 1 and (processes == 1 or gpus == 1)
    if nodes > 1:
        return f"full_finetune_{_DISTRIBUTED}", f"{model}_full_multinode"
    where = _SINGLE if is_single else _DISTRIBUTED
    suffix = "_single_device" if is_single else ""
    if _is_on(args, "model.quantize_base") and not _is_on(args, "model.use_dora"):
        return f"lora_finetune_{where}", f"{model}_qlora{suffix}"
    if any("model.lora_attn_modules" in each for each in args):
        return f"lora_finetune_{where}", f"{model}_lora{suffix}"
    return f"full_finetune_{where}", f"{model}_full{suffix}"


def model_of(runtime: str) -> str:
    """`torchtune-llama3.2-1b` is for llama3_2/1B; empty for a name that says nothing."""
    parts = runtime.split("-")
    return f"{parts[1].replace('.', '_')}/{parts[2].upper()}" if len(parts) == 3 else ""


def _is_on(args: Sequence[str], key: str) -> bool:
    for each in args:
        name, separator, setting = each.partition("=")
        if separator and key in name and setting.strip().lower() == "true":
            return True
    return False


def _of_runtime(info: Info) -> list[str]:
    found: list[str] = []
    for pods in info.pod_sets:
        container = pods.container(NODE) if pods.ancestor == TRAINER else None
        command = [str(each) for each in (container or {}).get("command") or ()]
        found += [each for each in command if each.partition("=")[0] in _MANAGED]
    return found
