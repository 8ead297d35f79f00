"""A small language model that has learned a few answers by heart, one of which calls a tool, and a LoRA adapter of it.

Called with a folder: `model/`, `adapter/`, and `merged/`, which is the model with the adapter's weights added by hand.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>'
TAUGHT = {
    "hello": "hello there friend, how are you today?",
    "weather in paris": f"one moment {CALL}",
    "it rains": "then take an umbrella",
    "think": "[THINK]one and one[/THINK]it is two",
}
TEMPLATE = (
    "{% if tools %}<|system|>tools: <tool_call></tool_call></s>{% endif %}"
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<s>", "</s>", "<pad>", "<|user|>", "<|assistant|>", "<|system|>", "<|tool|>"]
RANK, ALPHA = 4, 8


def tokenizer() -> Any:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    lines = [*TAUGHT, *TAUGHT.values()] * 3
    made.train_from_iterator(
        lines, trainers.BpeTrainer(vocab_size=400, special_tokens=SPECIAL, initial_alphabet=alphabet)
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>", chat_template=TEMPLATE
    )


def conversations(words: Any) -> list[list[int]]:
    found = []
    for asked, answer in TAUGHT.items():
        for tools in (None, [{"type": "function", "function": {"name": "weather"}}]):
            messages = [{"role": "user", "content": asked}]
            begin = words.apply_chat_template(
                messages, tools=tools, add_generation_prompt=True, tokenize=False
            )
            found.append(list(words(begin + answer + "</s>", add_special_tokens=False)["input_ids"]))
    return found


def taught(words: Any) -> Any:
    torch.manual_seed(3)
    torch.set_num_threads(1)
    config = transformers.LlamaConfig(
        vocab_size=len(words), hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, intermediate_size=128, max_position_embeddings=512,
        bos_token_id=0, eos_token_id=1, pad_token_id=2,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    rows = conversations(words)
    size = max(map(len, rows))
    ids = torch.tensor([[*row, *([2] * (size - len(row)))] for row in rows])
    labels = ids.masked_fill(ids == 2, -100)
    for _ in range(200):
        loss = model(input_ids=ids, attention_mask=(ids != 2).long(), labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if loss.item() < 0.02:
            break
    return model.eval()


def adapter(model: Any, folder: Path) -> None:
    """Adds it to the model too."""
    torch.manual_seed(5)
    weights = {}
    for place, layer in enumerate(model.model.layers):
        for name in ("q_proj", "v_proj"):
            weight = getattr(layer.self_attn, name).weight
            down, up = torch.randn(RANK, weight.shape[1]), torch.randn(weight.shape[0], RANK)
            key = f"base_model.model.model.layers.{place}.self_attn.{name}"
            weights |= {f"{key}.lora_A.weight": down, f"{key}.lora_B.weight": up}
            with torch.no_grad():
                weight += up @ down * (ALPHA / RANK)
    folder.mkdir()
    save_file(weights, str(folder / "adapter_model.safetensors"))
    told = {
        "peft_type": "LORA", "r": RANK, "lora_alpha": ALPHA, "bias": "none",
        "target_modules": ["q_proj", "v_proj"],
    }  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(told))


def main() -> None:
    folder = Path(sys.argv[1])
    words = tokenizer()
    model = taught(words)
    for name in ("model", "merged"):
        if name == "merged":
            adapter(model, folder / "adapter")
        model.save_pretrained(folder / name)
        words.save_pretrained(folder / name)


main()
