"""Models of Transformers, small and of random weights, and what the library itself makes of texts with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import transformers
from recorded import Case, play
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LINES = [
    "the quick brown fox jumps over the lazy dog",
    "paris is the capital of france",
    "naïve café über",
] * 3
TEXTS = ["the quick brown fox", "hello paris"]
TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}


def bytewise() -> Any:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    special = ["<s>", "</s>", "<pad>", "<|user|>", "<|assistant|>", "<|system|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        LINES, trainers.BpeTrainer(vocab_size=360, special_tokens=special, initial_alphabet=alphabet)
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>", chat_template=TEMPLATE
    )


def words() -> Any:
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    made.train_from_iterator(LINES, trainers.WordPieceTrainer(vocab_size=200, special_tokens=special))
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return transformers.BertTokenizerFast(tokenizer_object=made)


def case(name: str, model: Any, tokenizer: Any, **options: str) -> Case:
    made = Case(name, "huggingface", **options)
    model.save_pretrained(made.model)
    tokenizer.save_pretrained(made.model)
    return made


def bert(kind: Any, **more: Any) -> tuple[Any, Any]:
    torch.manual_seed(1)
    tokenizer = words()
    config = transformers.BertConfig(
        vocab_size=len(tokenizer), max_position_embeddings=64, initializer_range=0.4, **SMALL, **more
    )
    return kind(config).eval(), tokenizer


def logits(model: Any, tokenizer: Any, texts: list[str]) -> Any:
    with torch.no_grad():
        return model(**tokenizer(texts, return_tensors="pt", padding=True))


def asked(made: Case, texts: list[str], predictions: Any, output: Any) -> None:
    made.v1(texts, predictions)
    made.v2({"input-0": np.array(texts, dtype=object)}, {"output-0": output})
    made.write()


def texts_of(told: list[Any]) -> Any:
    return np.array([str(each) for each in told], dtype=object)


def encoders() -> None:
    model, tokenizer = bert(transformers.BertForSequenceClassification, num_labels=3)
    found = logits(model, tokenizer, TEXTS).logits
    classes = found.argmax(-1).numpy()
    asked(case("classes", model, tokenizer), TEXTS, classes.tolist(), classes)
    shares = [{i: round(p, 4) for i, p in enumerate(row)} for row in torch.softmax(found, -1).tolist()]
    made = case("shares", model, tokenizer, return_probabilities="true")
    made.v1(TEXTS, [{str(key): value for key, value in row.items()} for row in shares])
    made.v2({"input-0": np.array(TEXTS, dtype=object)}, {"output-0": texts_of(shares)})
    made.write()

    model, tokenizer = bert(transformers.BertForTokenClassification, num_labels=4)
    classes = logits(model, tokenizer, TEXTS).logits.argmax(-1)[:, None].numpy()
    asked(case("tokens", model, tokenizer), TEXTS, classes.tolist(), classes)

    model, tokenizer = bert(transformers.BertForMaskedLM)
    pipeline = transformers.pipeline("fill-mask", model=model, tokenizer=tokenizer)
    texts = ["the quick [MASK] fox", "[MASK] is the capital"]
    best = [tokenizer.decode([pipeline(each)[0]["token"]]) for each in texts]
    asked(case("masks", model, tokenizer), texts, best, texts_of(best))

    model, tokenizer = bert(transformers.BertModel)
    rows = []
    for text in TEXTS:
        mean = logits(model, tokenizer, [text]).last_hidden_state[0].mean(dim=0)
        rows.append((mean / mean.norm()).tolist())
    asked(case("embedding", model, tokenizer, task="text_embedding"), TEXTS, rows, np.array(rows))


def generated(made: Case, model: Any, tokenizer: Any) -> None:
    """What `generate` writes after each, alone."""
    found = []
    for text in TEXTS:
        ids = tokenizer(text, return_tensors="pt")
        tokens = model.generate(**ids, max_new_tokens=16, do_sample=False, pad_token_id=2)[0]
        begin = 0 if model.config.is_encoder_decoder else ids["input_ids"].shape[1]
        found.append(tokenizer.decode(tokens[begin:], skip_special_tokens=True))
    asked(made, TEXTS, found, texts_of(found))


def writers() -> None:
    torch.manual_seed(0)
    tokenizer = bytewise()
    size = len(tokenizer)
    ends = {"vocab_size": size, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
    config: Any = transformers.LlamaConfig(
        **SMALL, **ends, num_key_value_heads=2, max_position_embeddings=128, initializer_range=0.4
    )
    model: Any = transformers.LlamaForCausalLM(config).eval()
    generated(case("llama", model, tokenizer), model, tokenizer)

    config = transformers.GPT2Config(
        n_embd=32, n_layer=2, n_head=4, n_positions=128, initializer_range=0.4, **ends
    )
    model = transformers.GPT2LMHeadModel(config).eval()
    generated(case("gpt2", model, tokenizer), model, tokenizer)

    # Remembers a window of words only: not every model's texts are written together.
    config = transformers.MistralConfig(
        **SMALL,
        **ends,
        num_key_value_heads=2,
        max_position_embeddings=128,
        sliding_window=8,
        initializer_range=0.4,
    )
    model = transformers.MistralForCausalLM(config).eval()
    generated(case("mistral", model, tokenizer), model, tokenizer)

    config = transformers.T5Config(
        d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, decoder_start_token_id=2, initializer_factor=3.0,
        vocab_size=size, eos_token_id=1, pad_token_id=2, num_beams=3,
    )  # fmt: skip
    model = transformers.T5ForConditionalGeneration(config).eval()
    model.generation_config.num_beams = 3
    generated(case("t5", model, tokenizer), model, tokenizer)


play(encoders, writers)
