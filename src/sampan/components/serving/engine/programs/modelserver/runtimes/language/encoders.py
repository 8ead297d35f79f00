"""Models that answer in one pass: classes of texts and of tokens, masked words, embeddings. Made by `huggingface`.

Answers are in upstream's shapes: of V2, lists of numbers are a tensor, and mappings are written as Python writes them.
Source: kserve 0.20 python/huggingfaceserver/huggingfaceserver/{encoder_model,utils}.py, python/kserve/kserve/utils/
utils.py (get_predict_response). Rerank, which upstream leaves to vLLM, has vLLM's shape: a cross-encoder's score
through a sigmoid, or the cosine of embeddings; so have `classify` and `score`, which are asked at vLLM's place alone.
"""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.modelserver.contract import (
    Array,
    LoadError,
    Metadata,
    ModelError,
    ParameterError,
    Tensor,
    TensorSpec,
    datatype_of,
)
from sampan.components.serving.engine.programs.modelserver.errors import RequestError
from sampan.components.serving.engine.programs.modelserver.runtimes.language import answers, tasks
from sampan.components.serving.engine.programs.modelserver.runtimes.language.pretrained import Pretrained
from sampan.components.serving.engine.programs.modelserver.runtimes.language.settings import Settings
from sampan.components.serving.engine.programs.modelserver.runtimes.language.wishes import (
    texts_of,
    truncation_of,
)

_OUTPUT = "output-0"
Found = tuple[list[Any], list[Any] | None, int]
"""Predictions, offsets of tokens where they are wanted, and how many tokens were read."""


class Encoder:
    """One request at a time: a pass uses all cores."""

    speaks_openai = True

    def __init__(self, settings: Settings, task: str, found: Pretrained) -> None:
        self._torch = importlib.import_module("torch")
        self._settings, self._task = settings, task
        self._tokenizer, self._model = found.tokenizer, found.model
        self._device, self._max_length = found.device, found.max_length
        self._turn = threading.Lock()
        self._offsets = settings.offsets and task == tasks.TOKENS
        if self._offsets and not getattr(self._tokenizer, "is_fast", False):
            raise LoadError("return_offsets_mapping requires a fast tokenizer (tokenizers backend).")
        if not self._tokenizer.pad_token:
            self._tokenizer.add_special_tokens({"pad_token": "[PAD]"})
            self._model.resize_token_embeddings(len(self._tokenizer))
        if getattr(found.config, "pad_token_id", None) is None:
            # Classifiers made of decoders look for a text's end by it.
            self._model.config.pad_token_id = self._tokenizer.pad_token_id
        self.metadata = _metadata(settings, task)

    async def v1(self, verb: str, body: Any, headers: Mapping[str, str]) -> Any:
        if verb != "predict":
            raise RequestError(501, f"Model with name {self._settings.name} explains nothing.")
        predictions, offsets, _ = await asyncio.to_thread(self._predict, texts_of(body))
        answer: dict[str, Any] = {"predictions": predictions}
        if offsets is not None:
            data = np.asarray(offsets, dtype=np.int64)
            answer["outputs"] = [
                {
                    "name": "offset_mapping",
                    "datatype": "INT64",
                    "shape": data.shape,
                    "data": data.ravel().tolist(),
                }
            ]
        return answer

    async def v2(
        self, inputs: Sequence[Tensor], parameters: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Sequence[Tensor]:
        predictions, offsets, _ = await asyncio.to_thread(self._predict, texts_of_tensors(inputs))
        outputs = [tensor_of(predictions)]
        if offsets is not None:
            outputs.append(Tensor("offset_mapping", np.asarray(offsets, dtype=np.int64), "INT64"))
        return outputs

    async def openai(
        self, route: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Mapping[str, Any] | AsyncIterator[bytes]:
        known: Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
            "embeddings": self._embeddings,
            "rerank": self._rerank,
            "classify": self._classify,
            "score": self._score,
        }
        if route in known:
            return await asyncio.to_thread(known[route], body)
        raise ModelError(f"Model {self._settings.name} does not support {answers.api_of(route)}")

    def close(self) -> None:
        self._model = None

    # What a pass yields

    def _predict(self, texts: Sequence[str] | Sequence[list[int]], cut: int | None = None) -> Found:
        """Of texts' first `cut` tokens; None for as many as the model takes, 0 where longer ones are refused."""
        with self._turn, self._torch.inference_mode():
            inputs, offsets = self._read_tokens(texts, cut) or self._tokenized(list(map(str, texts)), cut=cut)
            outputs = self._run(inputs)
            found = self._read(outputs, inputs).copy()
            return found, offsets, int(inputs["attention_mask"].sum())

    def _read_tokens(self, told: Sequence[Any], cut: int | None) -> tuple[dict[str, Any], None] | None:
        """Where tokens are told, and no texts. Raises ModelError."""
        if not told or isinstance(told[0], str):
            return None
        size = int(self._model.get_input_embeddings().num_embeddings)
        if any(token >= size for each in told for token in each):
            raise ParameterError("input", f"tokens have to be below {size}")
        if cut == 0:
            self._check_length(max(map(len, told)))
        kept = {"input_ids": [each[: cut or self._max_length] for each in told]}
        return dict(self._tokenizer.pad(kept, return_tensors="pt").to(self._device)), None

    def _tokenized(
        self, texts: list[str], pairs: list[str] | None = None, *, cut: int | None = None
    ) -> tuple[dict[str, Any], list[Any] | None]:
        inputs = self._tokenizer(
            texts,
            *([pairs] if pairs is not None else []),
            max_length=cut or self._max_length,
            add_special_tokens=self._settings.special_tokens,
            return_tensors="pt",
            return_token_type_ids=self._settings.token_type_ids or pairs is not None,
            padding=True,
            truncation=cut != 0,
            return_offsets_mapping=self._offsets,
        )
        if cut == 0:
            self._check_length(inputs["input_ids"].shape[1])
        offsets = inputs.pop("offset_mapping", None)
        return dict(inputs.to(self._device)), offsets.tolist() if offsets is not None else None

    def _check_length(self, size: int) -> None:
        """Raises ModelError."""
        if size > self._max_length:
            raise ModelError(
                f"This model's maximum context length is {self._max_length} tokens. However, you requested {size} "
                "tokens in the input. Please reduce the length of the input."
            )

    def _run(self, inputs: Mapping[str, Any]) -> Any:
        wanted = self._settings.tensor_input_names
        given = {key: value for key, value in inputs.items() if not wanted or key in wanted}
        found = self._model(**given, return_dict=True)
        return found.last_hidden_state if self._task == tasks.EMBEDDING else found.logits

    def _read(self, outputs: Any, inputs: Mapping[str, Any]) -> list[Any]:
        if self._task == tasks.SEQUENCES:
            return [self._classes(row) for row in outputs.cpu()]
        if self._task == tasks.TOKENS:
            return [self._token_classes(row) for row in outputs.cpu()]
        if self._task == tasks.MASKS:
            ids = inputs["input_ids"].cpu()
            return [self._masked(row, own) for row, own in zip(outputs.cpu(), ids, strict=True)]
        return list(_pooled(self._torch, outputs, inputs["attention_mask"]).cpu().tolist())

    def _classes(self, row: Any) -> Any:
        if self._settings.raw_logits:
            return dict(enumerate(row.tolist()))
        if self._settings.probabilities:
            return {place: round(each, 4) for place, each in enumerate(self._shares(row).tolist())}
        return int(row.argmax())

    def _token_classes(self, row: Any) -> list[Any]:
        if self._settings.raw_logits or self._settings.probabilities:
            return [self._classes(token) for token in row]
        return [row.argmax(dim=-1).tolist()]

    def _masked(self, row: Any, ids: Any) -> Any:
        masked = row[ids == self._tokenizer.mask_token_id]
        if self._settings.raw_logits:
            return [[{place: each} for place, each in enumerate(one.tolist())] for one in masked]
        if self._settings.probabilities:
            shares = self._shares(masked).tolist()
            return [[{place: f"{each:.4f}"} for place, each in enumerate(one)] for one in shares]
        return self._tokenizer.decode(masked.argmax(dim=-1))

    def _shares(self, logits: Any) -> Any:
        return self._torch.softmax(logits.float(), dim=-1)

    # OpenAI's

    def _cut(self, body: Mapping[str, Any]) -> int:
        """How many of a text's tokens are read, as vLLM has it; 0 where it has to be read whole. Raises ModelError."""
        wanted = truncation_of(body)
        if wanted > self._max_length:
            raise ParameterError(
                "truncate_prompt_tokens",
                f"truncate_prompt_tokens value ({wanted}) is greater than max_model_len ({self._max_length}). Please, "
                "select a smaller truncation size.",
            )
        return self._max_length if wanted == -1 else wanted

    def _embeddings(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._task != tasks.EMBEDDING:
            raise ModelError(
                f"Model {self._settings.name} does not support Embeddings API: its task is {self._task}"
            )
        asked = answers.embedding_request(body, takes_tokens=self._settings.samples)
        size = asked.dimensions
        if size is not None:
            self._check_size(size)
        # KServe's own program cuts what is too long; vLLM says so.
        rows, _, read = self._predict(asked.texts, self._cut(body) if self._settings.samples else None)
        if size is not None:
            rows = [_shortened(row, size) for row in rows]
        return answers.embeddings(self._settings.name, rows, asked.encoding, read)

    def _check_size(self, size: int) -> None:
        """Source: vllm-project/vllm 0.19 vllm/pooling_params.py (verify). Raises ModelError."""
        config = self._model.config
        listed = getattr(config, "matryoshka_dimensions", None)
        if not listed and not getattr(config, "is_matryoshka", False):
            raise ParameterError(
                "dimensions",
                f"Model {self._settings.name} does not support matryoshka representation, changing output dimensions "
                "will lead to poor results.",
            )
        if (listed and size not in listed) or size > config.hidden_size:
            known = listed or f"1 to {config.hidden_size}"
            raise ParameterError("dimensions", f"'dimensions' has to be one of {known}")

    def _rerank(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        query, documents, top = answers.rerank_request(body)
        scores, read = self._scores([query] * len(documents), documents, "rerank", self._cut(body))
        return answers.reranked(self._settings.name, documents, scores, top, read)

    def _score(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        scores, read = self._scores(*answers.score_request(body), "score", self._cut(body))
        return answers.scored(self._settings.name, scores, read)

    def _scores(self, first: list[str], second: list[str], route: str, cut: int) -> tuple[list[float], int]:
        """How near the pairs are."""
        if self._task == tasks.EMBEDDING:
            rows, _, read = self._predict([*dict.fromkeys(first), *second], cut)
            known = dict(zip(dict.fromkeys(first), rows, strict=False))
            own = rows[len(known) :]
            return [float(np.dot(known[text], row)) for text, row in zip(first, own, strict=True)], read
        if self._task != tasks.SEQUENCES or self._model.config.num_labels != 1:
            raise ModelError(
                f"Model {self._settings.name} does not support {answers.api_of(route)}: that takes embeddings, or a "
                "classifier with one label"
            )
        with self._turn, self._torch.inference_mode():
            inputs, _ = self._tokenized(first, second, cut=cut)
            scores = self._torch.sigmoid(self._run(inputs).float()[:, 0]).cpu().tolist()
            return scores, int(inputs["attention_mask"].sum())

    def _classify(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        texts, wants_shares = answers.classes_request(body)
        cut = self._cut(body)
        if self._task != tasks.SEQUENCES:
            raise ModelError(
                f"Model {self._settings.name} does not support Classification API: its task is {self._task}"
            )
        with self._turn, self._torch.inference_mode():
            inputs, _ = self._tokenized(texts, cut=cut)
            found = self._run(inputs).float()
            if wants_shares:
                # Classes that do not exclude one another are each by itself.
                config = self._model.config
                alone = config.num_labels == 1 or config.problem_type == "multi_label_classification"
                found = self._torch.sigmoid(found) if alone else self._shares(found)
            read = int(inputs["attention_mask"].sum())
        labels = {int(key): str(value) for key, value in (self._model.config.id2label or {}).items()}
        return answers.classified(self._settings.name, found.cpu().tolist(), labels, read)


def texts_of_tensors(inputs: Sequence[Tensor]) -> list[str]:
    """The first input's. Raises ModelError."""
    data = inputs[0].data.ravel() if inputs else np.array([])
    if not len(data):
        raise ModelError("the request has no texts: its first input has to hold some")
    if data.dtype.kind not in "OSU":
        raise ModelError(f"input {inputs[0].name!r} has to be BYTES: texts, not {inputs[0].datatype}")
    try:
        return [each.decode() if isinstance(each, bytes) else str(each) for each in data]
    except UnicodeDecodeError as error:
        raise ModelError(f"input {inputs[0].name!r} holds bytes that are no UTF-8") from error


def tensor_of(predictions: list[Any]) -> Tensor:
    try:
        data: Array = np.asarray(predictions)
    except ValueError:
        # Of texts with different numbers of masks.
        data = np.asarray([str(each) for each in predictions])
    if data.dtype.kind in "OSU":
        flat = [str(each).encode() for each in data.ravel()]
        made: Array = np.empty(len(flat), dtype=object)
        made[:] = flat
        return Tensor(_OUTPUT, made.reshape(data.shape), "BYTES")
    return Tensor(_OUTPUT, data, datatype_of(data.dtype))


def _pooled(torch: Any, states: Any, mask: Any) -> Any:
    """The mean over a text's tokens, of length 1. Source: sentence-transformers' pooling, as upstream has it."""
    weights = mask.unsqueeze(-1).to(states.dtype)
    mean = (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)
    return torch.nn.functional.normalize(mean, p=2, dim=1)


def _shortened(row: Sequence[float], size: int) -> list[float]:
    """Its beginning, of length 1 again (Kusupati et al., "Matryoshka Representation Learning", NeurIPS 2022)."""
    begin = np.asarray(row[:size], dtype=np.float64)
    length = float(np.linalg.norm(begin)) or 1.0
    return [float(each) for each in begin / length]


def _metadata(settings: Settings, task: str) -> Metadata:
    shapes = {
        tasks.SEQUENCES: (-1,),
        tasks.MASKS: (-1,),
        tasks.TOKENS: (-1, 1, -1),
        tasks.EMBEDDING: (-1, -1),
    }
    is_text = settings.raw_logits or settings.probabilities or task == tasks.MASKS
    datatype = "FP64" if task == tasks.EMBEDDING else "BYTES" if is_text else "INT64"
    inputs = (TensorSpec("input-0", "BYTES", (-1,)),)
    return Metadata(settings.name, "huggingface", inputs, (TensorSpec(_OUTPUT, datatype, shapes[task]),))
