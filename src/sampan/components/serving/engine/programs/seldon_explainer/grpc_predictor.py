"""The explained model asked over gRPC in Seldon's protocol. Imports grpc, so it is loaded by its name.

Source: seldon-core 1.18.2 components/alibi-explain-server/alibiexplainer/utils.py (_grpc). Not so here: numbers go as
`tensor`, which every model takes, where upstream sends a `tftensor`.
"""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np

from sampan.components.serving.engine.programs.seldon_explainer.predictors import (
    Predict,
    PredictorError,
    UnreachableError,
)
from sampan.components.serving.engine.programs.seldon_microservice import messages, payloads

_SECONDS = 600.0
_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_http_proxy", 0),
)


def predictor(host: str) -> Predict:
    channel = grpc.insecure_channel(host, _OPTIONS)
    call: Any = channel.unary_unary(
        "/seldon.protos.Seldon/Predict",
        request_serializer=lambda made: made.SerializeToString(),
        response_deserializer=messages.message("SeldonMessage").FromString,
    )

    def predict(data: Any) -> Any:
        array = np.asarray(data)
        if array.dtype.kind in "OU":
            told: dict[str, Any] = {"ndarray": array.tolist()}
        else:
            told = {"tensor": {"shape": list(array.shape), "values": array.ravel().tolist()}}
        request = messages.from_json({"data": told})
        try:
            answer = call(request, metadata=(("seldon-skip-logging", "true"),), timeout=_SECONDS)
        except grpc.RpcError as error:
            is_away = error.code() is grpc.StatusCode.UNAVAILABLE
            kind = UnreachableError if is_away else PredictorError
            raise kind(f"the model at {host}: {error.details()}") from error
        return payloads.features_of(messages.to_json(answer).get("data") or {})

    return predict
