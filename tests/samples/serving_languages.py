"""Makes small models in the place of those of Hugging Face: serving_languages.py NAME BUCKETS DATA UPSTREAM.

serving.py runs it in the environment of `kserve/huggingfaceserver`. Each is of the architecture that its name stands
for, with a vocabulary of a few words, and taught what upstream's tests ask it; figures are set to upstream's
expectation for the one text that is asked, so that another text, or the same read otherwise, has others.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

QUESTION = "What is the result of 2 + 2?"
ANSWER = "The result of 2 + 2 is 4."
SYSTEM = "You are a helpful assistant."
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SMALL: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
}
LOGITS = (-2.152204, 2.5094059)
STEPS, RATE, ENOUGH, SURE = 1000, 1e-2, 0.002, 0.00005


def bytewise(texts: Sequence[str], special: Sequence[str], **told: Any) -> Any:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(list(texts) * 4, trainer)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, **told)


def words(vocabulary: Sequence[str]) -> Any:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    known = {each: place for place, each in enumerate([*special, *vocabulary])}
    made = Tokenizer(models.WordPiece(known, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return transformers.BertTokenizerFast(tokenizer_object=made)


def taught(model: Any, batch: dict[str, Any], enough: float = ENOUGH) -> Any:
    """Until it knows the batch by heart."""
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = model(**batch).loss
        if loss.item() < enough:
            return model.eval()
        loss.backward()
        optimizer.step()
    raise SystemExit(f"{type(model).__name__} does not learn: its loss is {loss.item()}")


class Hub:
    """Where the models go, and upstream's expectations."""

    def __init__(self, buckets: Path, data: Path) -> None:
        self._folder, self.data = buckets / "hub", data

    def save(self, name: str, model: Any, tokenizer: Any) -> None:
        place = self._folder / name
        place.mkdir(parents=True, exist_ok=True)
        model.save_pretrained(place)
        tokenizer.save_pretrained(place)

    def read_back(self, name: str, model: Any, tokenizer: Any) -> Any:
        """The tokenizer as a server reads it: what the model's family splits texts by counts then."""
        self.save(name, model, tokenizer)
        return transformers.AutoTokenizer.from_pretrained(self._folder / name)

    def save_adapter(self, name: str, config: dict[str, Any], tensors: dict[str, Any]) -> None:
        place = self._folder / name
        place.mkdir(parents=True, exist_ok=True)
        (place / "adapter_config.json").write_text(json.dumps(config))
        save_file(tensors, place / "adapter_model.safetensors")

    def text(self, name: str) -> str:
        return str(json.loads((self.data / name).read_text())["inputs"][0]["data"][0])


def qwen(hub: Hub) -> None:
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    told = {"pad_token": special[0], "chat_template": CHAT}
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
    texts = [QUESTION, ANSWER, SYSTEM, "system user assistant"]
    for name, end in {"Qwen/Qwen2-0.5B-Instruct": "<|im_end|>", "Qwen/Qwen2-0.5B": "<|endoftext|>"}.items():
        tokenizer = bytewise(texts, special, eos_token=end, **told)
        asked = QUESTION + " "
        torch.manual_seed(1)
        config = transformers.Qwen2Config(
            **SMALL,
            vocab_size=len(tokenizer),
            num_key_value_heads=2,
            max_position_embeddings=512,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
        )
        model = transformers.Qwen2ForCausalLM(config)
        tokenizer = hub.read_back(name, model, tokenizer)
        if end == "<|im_end|>":
            asked = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        before = len(tokenizer(asked)["input_ids"])
        ids = torch.tensor([tokenizer(asked + ANSWER + end)["input_ids"]])
        # The answer alone, so that what is learned is sure enough for half the digits (bfloat16).
        labels = ids.clone()
        labels[:, : before - 1] = -100
        hub.save(name, taught(model, {"input_ids": ids, "labels": labels}, SURE), tokenizer)


def t5(hub: Hub) -> None:
    asked, answer = "translate this to germany", "Das ist für Deutschland"
    tokenizer = bytewise([asked, answer], ["<pad>", "</s>"], pad_token="<pad>", eos_token="</s>")
    torch.manual_seed(1)
    config = transformers.T5Config(
        vocab_size=len(tokenizer), d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4, dropout_rate=0.0
    )
    config.decoder_start_token_id = tokenizer.pad_token_id
    config.eos_token_id, config.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    model = transformers.T5ForConditionalGeneration(config)
    inputs = torch.tensor([tokenizer(asked)["input_ids"]])
    labels = torch.tensor([tokenizer(answer)["input_ids"] + [tokenizer.eos_token_id]])
    hub.save("t5-small", taught(model, {"input_ids": inputs, "labels": labels}), tokenizer)


def _bert(kind: Any, tokenizer: Any, **told: Any) -> Any:
    torch.manual_seed(1)
    config = transformers.BertConfig(
        **{**SMALL, **told},
        vocab_size=len(tokenizer),
        max_position_embeddings=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return kind(config).eval()


def polarity(hub: Hub) -> None:
    text = hub.text("bert_sequence_classification_v2.json")
    tokenizer = words(["hello", ",", "my", "dog", "is", "cute", "."])
    model = _bert(transformers.BertForSequenceClassification, tokenizer)
    with torch.no_grad():
        found = model(**tokenizer(text, return_tensors="pt")).logits[0]
        model.classifier.bias += torch.tensor(LOGITS) - found
    hub.save("textattack/bert-base-uncased-yelp-polarity", model, tokenizer)


def masks(hub: Hub) -> None:
    asked = json.loads((hub.data / "bert_fill_mask_v1.json").read_text())["instances"]
    tokenizer = words(["the", "capital", "of", "france", "is", "paris", "."])
    batch = dict(tokenizer(asked, return_tensors="pt", padding=True))
    labels = torch.full_like(batch["input_ids"], -100)
    answers = torch.tensor(tokenizer.convert_tokens_to_ids(["paris", "france"]))
    labels[batch["input_ids"] == tokenizer.mask_token_id] = answers
    hub.save(
        "bert-base-uncased",
        taught(_bert(transformers.BertForMaskedLM, tokenizer), {**batch, "labels": labels}),
        tokenizer,
    )


def entities(hub: Hub) -> None:
    text = hub.text("bert_token_classification_v2.json")
    # In small letters, as upstream's server asks its tokenizer for them.
    tokenizer = words(
        ["hug", "##ging", "##face", "is", "a", "company", "based", "in", "par", "##is", "and", "new", "york"]
    )
    batch = dict(tokenizer(text, return_tensors="pt", add_special_tokens=False))
    labels = torch.zeros_like(batch["input_ids"])
    labels[0, 1] = 6
    model = _bert(transformers.BertForTokenClassification, tokenizer, num_labels=9)
    taught(model, {**batch, "labels": labels})
    hub.save("dbmdz/bert-large-cased-finetuned-conll03-english", model, tokenizer)


def embeddings(hub: Hub) -> None:
    text = hub.text("text_embedding_input_v2.json")
    tokenizer = words(["this", "is", "an", "example", "sentence", "."])
    told = {"hidden_size": 384, "num_attention_heads": 12, "intermediate_size": 64}
    model = _bert(transformers.BertModel, tokenizer, **told)
    wanted = torch.tensor(_expected(hub, "huggingface_text_embedding_expected_output"))
    with torch.no_grad():
        found = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
        model.encoder.layer[-1].output.LayerNorm.bias += wanted - found
    hub.save("sentence-transformers/all-MiniLM-L6-v2", model, tokenizer)


def _expected(hub: Hub, name: str) -> list[float]:
    """A list of `approx(FIGURE, …)` in upstream's test_output.py."""
    for each in ast.parse((hub.data.parent / "predictor/test_output.py").read_text()).body:
        if isinstance(each, ast.Assign) and getattr(each.targets[0], "id", "") == name:
            assert isinstance(each.value, ast.List)
            return [float(ast.literal_eval(one.args[0])) for one in each.value.elts]  # type: ignore[attr-defined]
    raise SystemExit(f"test_output.py has no {name}")


def reranker(hub: Hub) -> None:
    """Sure of which text answers the question, and which does not."""
    told = json.loads((hub.data / "bge-reranker-base.json").read_text())
    known = {each: place for place, each in enumerate(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])}
    split = pre_tokenizers.BertPreTokenizer()
    for text in (told["query"], *told["documents"]):
        for word, _ in split.pre_tokenize_str(text):
            known.setdefault(word, len(known))
    made = Tokenizer(models.WordLevel(known, unk_token="<unk>"))
    made.pre_tokenizer = split
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = {
        "bos_token": "<s>",
        "cls_token": "<s>",
        "eos_token": "</s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
    }
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=made, **names)
    torch.manual_seed(1)
    config = transformers.XLMRobertaConfig(
        **SMALL,
        vocab_size=len(tokenizer),
        max_position_embeddings=130,
        initializer_range=0.4,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        num_labels=1,
    )
    pairs = dict(tokenizer([told["query"]] * 2, told["documents"], return_tensors="pt", padding=True))
    pairs.pop("token_type_ids", None)
    model = transformers.XLMRobertaForSequenceClassification(config).eval()
    with torch.no_grad():
        head = model.classifier
        states = model.roberta(**pairs).last_hidden_state[:, 0]
        wrong, right = torch.tanh(head.dense(states))
        # The line between the two, at whose ends the scores are -8 and 8.
        weight = 16 * (right - wrong) / (right - wrong).square().sum()
        head.out_proj.weight.copy_(weight[None])
        head.out_proj.bias.copy_(-(weight @ (right + wrong)) / 2)
        found = model(**pairs).logits[:, 0]
    if not torch.allclose(found, torch.tensor([-8.0, 8.0]), atol=0.01):
        raise SystemExit(f"the texts have the scores {found.tolist()}")
    hub.save("BAAI/bge-reranker-base", model, tokenizer)


def opt(hub: Hub) -> None:
    """And an adapter that changes next to nothing: upstream asks only that there is an answer."""
    asked = [
        "KServe is a",
        "What is KServe?",
        "What is Kubernetes?",
        "Explain machine learning in simple terms.",
    ]
    tokenizer = bytewise(asked, ["<pad>", "</s>"], pad_token="<pad>", bos_token="</s>", eos_token="</s>")
    torch.manual_seed(1)
    config = transformers.OPTConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        word_embed_proj_dim=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        ffn_dim=128,
        max_position_embeddings=1024,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    hub.save("facebook/opt-125m", transformers.OPTForCausalLM(config), tokenizer)
    config = {
        "base_model_name_or_path": "facebook/opt-125m",
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": 4,
        "lora_alpha": 8,
        "target_modules": ["q_proj", "v_proj"],
    }
    tensors = {}
    for layer in range(2):
        for module in ("q_proj", "v_proj"):
            name = f"base_model.model.model.decoder.layers.{layer}.self_attn.{module}"
            tensors[f"{name}.lora_A.weight"] = torch.randn(4, 64) * 0.01
            tensors[f"{name}.lora_B.weight"] = torch.randn(64, 4) * 0.01
    hub.save_adapter("edbeeching/opt-125m-lora", config, tensors)


MAKERS: dict[str, Sequence[Callable[[Hub], None]]] = {
    "languages": (qwen, t5, polarity, masks, entities, embeddings),
    "opt": (opt,),
    "reranker": (reranker,),
}

if __name__ == "__main__":
    # A small model on a busy machine: threads would wait for one another.
    torch.set_num_threads(1)
    for make in MAKERS[sys.argv[1]]:
        make(Hub(Path(sys.argv[2]), Path(sys.argv[3])))
