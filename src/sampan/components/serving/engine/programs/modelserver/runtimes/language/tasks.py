"""What a model is for: what was said, or what its architecture's name ends with. Pure.

Source: kserve 0.20 python/huggingfaceserver/huggingfaceserver/task.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sampan.components.serving.engine.programs.modelserver.contract import LoadError

SEQUENCES, TOKENS, MASKS = "sequence_classification", "token_classification", "fill_mask"
EMBEDDING, GENERATION, TRANSLATION = "text_embedding", "text_generation", "text2text_generation"

# The class of Transformers that loads a model for it.
CLASSES: Mapping[str, str] = {
    SEQUENCES: "AutoModelForSequenceClassification",
    TOKENS: "AutoModelForTokenClassification",
    MASKS: "AutoModelForMaskedLM",
    EMBEDDING: "AutoModel",
    GENERATION: "AutoModelForCausalLM",
    TRANSLATION: "AutoModelForSeq2SeqLM",
}
GENERATIVE = (GENERATION, TRANSLATION)
# In this order: the first ending that fits counts.
_BY_ENDING: tuple[tuple[str, str], ...] = (
    ("ForQuestionAnswering", "question_answering"),
    ("ForTokenClassification", TOKENS),
    ("ForSequenceClassification", SEQUENCES),
    ("ForMultipleChoice", "multiple_choice"),
    ("ForMaskedLM", MASKS),
    ("ForCausalLM", GENERATION),
    ("LMHeadModel", GENERATION),
    ("ForConditionalGeneration", TRANSLATION),
    ("MTModel", TRANSLATION),
    ("EncoderDecoderModel", TRANSLATION),
    ("ForPrediction", "time_series_forecast"),
)


def task_of(told: str, architectures: Sequence[str]) -> str:
    """Raises LoadError."""
    served = ", ".join(CLASSES)
    if told:
        if told not in CLASSES:
            raise LoadError(f"Unsupported task: {told}. Currently supported tasks are: {served}")
        return told
    architecture = architectures[0] if architectures else "a model without architectures"
    found = next((task for ending, task in _BY_ENDING if architecture.endswith(ending)), "")
    if not found:
        raise LoadError(
            f"Task couldn't be inferred from {architecture}. Please manually set `task` option: {served}."
        )
    if found not in CLASSES:
        raise LoadError(f"Task {found} is not supported. Currently supported tasks are: {served}.")
    return found
