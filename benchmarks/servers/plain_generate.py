"""A language model of random weights, and what Transformers' own `generate` writes with it: tokens a second.

`make FOLDER` makes the model; `write FOLDER PROMPT TOKENS STREAMS` measures, one text after the other, and all of them
as one batch that nobody may join.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers


def make(folder: str) -> None:
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<s>", "</s>", "<pad>"], initial_alphabet=alphabet
    )
    words.train_from_iterator(["the quick brown fox"], trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=8192, hidden_size=512, num_hidden_layers=8, num_attention_heads=8, num_key_value_heads=4,
        intermediate_size=1408, max_position_embeddings=4096, bos_token_id=0, eos_token_id=1, pad_token_id=2,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


class First(transformers.generation.streamers.BaseStreamer):  # type: ignore[misc]
    """When the first token came."""

    def __init__(self) -> None:
        self.calls: list[float] = []

    def put(self, value: Any) -> None:
        self.calls.append(time.perf_counter())

    def end(self) -> None:
        return None


def write(folder: str, prompt: str, tokens: int, streams: int) -> dict[str, float]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    ids = tokenizer([prompt], return_tensors="pt")["input_ids"]
    given = {"max_new_tokens": tokens, "min_new_tokens": tokens, "do_sample": False, "pad_token_id": 2}
    model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **{**given, "max_new_tokens": 4})
    turn, firsts = threading.Lock(), []
    begin = time.perf_counter()

    def one() -> None:
        with turn:
            first = First()
            model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), streamer=first, **given)
            # The prompt is the first that a streamer is given.
            firsts.append(first.calls[1] - begin)

    threads = [threading.Thread(target=one) for _ in range(streams)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    seconds = time.perf_counter() - begin
    many = ids.repeat(streams, 1)
    begin = time.perf_counter()
    model.generate(input_ids=many, attention_mask=torch.ones_like(many), **given)
    batch = time.perf_counter() - begin
    return {
        "rate": streams * tokens / seconds,
        "first": sorted(firsts)[len(firsts) // 2],
        "worst": max(firsts),
        "batch_rate": streams * tokens / batch,
    }


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2])
    else:
        print(json.dumps(write(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))))
