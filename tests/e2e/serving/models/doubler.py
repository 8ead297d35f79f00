"""A user's model, written for kserve: plain functions and async ones, V1 and V2, errors, headers, an explanation."""

from typing import Any

import numpy as np
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer
from kserve.errors import InvalidInput
from kserve.utils.utils import generate_uuid, get_predict_input, get_predict_response


class Doubler(Model):
    def __init__(self, name: str, factor: str = "2"):
        super().__init__(name, return_response_headers=True)
        self.factor = float(factor)
        self.ready = False

    def load(self) -> bool:
        self.ready = True
        return self.ready

    async def preprocess(self, payload: Any, headers: Any = None) -> Any:
        if isinstance(payload, InferRequest):
            headers["request-type"] = "grpc" if payload.from_grpc else "v2"
            if payload.inputs[0].datatype == "BYTES":
                return payload
        elif isinstance(payload, bytes):
            return {"instances": [len(payload)]}
        elif payload["instances"] == "wrong":
            raise InvalidInput("not these")
        return payload

    def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
        response_headers["x-model"] = headers.get("request-type", "v1")
        if isinstance(payload, InferRequest) and payload.inputs[0].datatype == "BYTES":
            texts = [each.decode() if isinstance(each, bytes) else each for each in payload.inputs[0].data]
            output = InferOutput("output-0", [len(texts)], "BYTES", [text.upper() for text in texts])
            return InferResponse(
                payload.id or generate_uuid(), self.name, [output], parameters=payload.parameters
            )
        given = get_predict_input(payload)
        if np.size(given) and np.ravel(given)[0] == -1:
            raise ValueError("broken at /srv/models/secret.bin")
        return get_predict_response(payload, np.asarray(given) * self.factor, self.name)

    def explain(self, payload: Any, headers: Any = None) -> Any:
        return {"explanations": ["doubled"]}


class Plus(Model):
    """A transformer: one is added before the predictor, a hundred after it."""

    def preprocess(self, payload: Any, headers: Any = None) -> Any:
        if isinstance(payload, InferRequest):
            first = payload.inputs[0]
            array = first.as_numpy() + 1
            first.set_data_from_numpy(array, binary_data=self.name == "binary")
            return payload
        return {"instances": [each + 1 for each in payload["instances"]]}

    async def postprocess(self, result: Any, headers: Any = None, response_headers: Any = None) -> Any:
        if isinstance(result, InferResponse):
            first = result.outputs[0]
            first.set_data_from_numpy(first.as_numpy() + 100, binary_data=False)
            return result
        return {"predictions": [each + 100 for each in result["predictions"]]}


if __name__ == "__main__":
    model = Doubler("doubler")
    model.load()
    ModelServer().start([model])
