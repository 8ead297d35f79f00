"""Adversarial examples, in the place of KServe's image `art-explainer`: how little changes what the predictor says.

By the Adversarial Robustness Toolbox' Square Attack, which knows of the model only what it answers. The request's
`instances` are an image and its label.
Andriushchenko et al., "Square Attack" (ECCV 2020); source: kserve v0.20.0 python/artexplainer/artserver/model.py.
"""

from __future__ import annotations

import asyncio
import importlib
import warnings
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import numpy as np

from sampan.components.serving.engine.programs.modelserver.contract import (
    Array,
    LoadError,
    Metadata,
    ModelError,
    Source,
    Tensor,
)
from sampan.components.serving.engine.programs.modelserver.runtimes.asking import (
    Predictor,
    predictor_of,
    whole_number,
)


def load(source: Source) -> Attacker:
    kind = source.options.get("adversary_type", "") or "SquareAttack"
    if kind.lower() != "squareattack":
        raise LoadError(f"Invalid adversary type: {kind}; there is SquareAttack.")
    predictor = predictor_of(source)
    if predictor is None:
        raise LoadError("An explainer asks a predictor: --predictor_host names it.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            attack = importlib.import_module("art.attacks.evasion.square_attack").SquareAttack
            classifier = importlib.import_module(
                "art.estimators.classification"
            ).BlackBoxClassifierNeuralNetwork
        except ImportError as error:
            raise LoadError(f"This environment has no adversarial-robustness-toolbox: {error}") from error
    counts = whole_number(source, "nb_classes", 10), whole_number(source, "max_iter", 1000)
    return Attacker(source.name, predictor, counts, attack, classifier)


class Attacker:
    """An Opaque."""

    def __init__(
        self, name: str, predictor: Predictor, counts: tuple[int, int], attack: Any, classifier: Any
    ) -> None:
        self.metadata = Metadata(name, "art")
        self._predictor = predictor
        self._classes, self._rounds = counts
        self._attack, self._classifier = attack, classifier
        self._lock = asyncio.Lock()

    async def v1(self, verb: str, body: Any, headers: Mapping[str, str]) -> Any:
        async with self._lock:
            if verb == "predict":
                return await asyncio.to_thread(self._predictor.document, "predict", body)
            return {"explanations": await asyncio.to_thread(self._explain, body)}

    async def v2(
        self, inputs: Sequence[Tensor], parameters: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Sequence[Tensor]:
        raise ModelError("an explainer answers V1: POST …:explain")

    async def openai(
        self, route: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Mapping[str, Any] | AsyncIterator[bytes]:
        raise ModelError("the model is no language model")

    def close(self) -> None:
        pass

    def _explain(self, body: Any) -> Mapping[str, Any]:
        told = body.get("instances") if isinstance(body, Mapping) else None
        if not isinstance(told, list) or len(told) != 2:
            raise ModelError('"instances" has to be an image and its label')
        try:
            image, label = np.array(told[0], dtype=float), np.array(told[1])
        except (ValueError, TypeError) as error:
            raise ModelError(f'"instances" has to be an image and its label: {error}') from error
        classifier = self._classifier(
            self._classes_of, image.shape, self._classes, channels_first=False, clip_values=(-np.inf, np.inf)
        )
        try:
            before = np.argmax(classifier.predict(image, batch_size=1))
            attack = self._attack(estimator=classifier, max_iter=self._rounds, verbose=False)
            changed = attack.generate(x=image, y=label)
            after = np.argmax(classifier.predict(changed))
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(f"Failed to explain {type(error).__name__}: {error}"[:1000]) from error
        return {
            "adversarial_example": changed.tolist(),
            "L2 error": float(np.linalg.norm(np.reshape(changed[0] - image, [-1]))),
            "adversarial_prediction": int(after),
            "prediction": int(before),
        }

    def _classes_of(self, images: Array) -> Array:
        """What the predictor says, as a vector with one at the class."""
        found = self._predictor.predict(images.reshape(len(images), -1))
        labels = found.argmax(axis=-1) if found.ndim == 2 else found
        known: Array = np.eye(self._classes)
        return np.asarray(known[labels.astype(int)])
