"""TensorFlow Serving's own client, unmodified: what it gets of half_plus_two, as JSON. Called with the address."""

from __future__ import annotations

import json
import sys
from typing import Any

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

REGRESS, CLASSIFY = "tensorflow/serving/regress", "classify_x_to_y"


def example(value: float) -> Any:
    feature = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
    return tf.train.Example(features=tf.train.Features(feature={"x": feature}))


def told(request: Any, signature: str = "") -> Any:
    request.model_spec.name = "half"
    request.model_spec.signature_name = signature
    return request


def main(place: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with grpc.insecure_channel(place) as channel:
        models = model_service_pb2_grpc.ModelServiceStub(channel)
        ask = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        state = models.GetModelStatus(
            told(get_model_status_pb2.GetModelStatusRequest()), timeout=60, wait_for_ready=True
        )
        found["status"] = [(each.version, each.state) for each in state.model_version_status]
        request = told(predict_pb2.PredictRequest())
        request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0, 2.0, 5.0]))
        answer = ask.Predict(request, timeout=60)
        found["predict"] = tf.make_ndarray(answer.outputs["y"]).tolist()
        found["version"] = answer.model_spec.version.value
        classified = told(classification_pb2.ClassificationRequest(), CLASSIFY)
        classified.input.example_list.examples.extend([example(4.0)])
        classes = ask.Classify(classified, timeout=60).result.classifications[0].classes
        found["classify"] = [(each.label, each.score) for each in classes]
        regressed = told(regression_pb2.RegressionRequest(), REGRESS)
        regressed.input.example_list.examples.extend([example(1.0), example(2.0)])
        found["regress"] = [each.value for each in ask.Regress(regressed, timeout=60).result.regressions]
        several = inference_pb2.MultiInferenceRequest()
        several.input.CopyFrom(regressed.input)
        for name, method in ((REGRESS, REGRESS), (CLASSIFY, "tensorflow/serving/classify")):
            task = told(several.tasks.add(), name)
            task.method_name = method
        results = ask.MultiInference(several, timeout=60).results
        found["several"] = [each.WhichOneof("result") for each in results]
        asked = told(get_model_metadata_pb2.GetModelMetadataRequest())
        asked.metadata_field.append("signature_def")
        metadata = ask.GetModelMetadata(asked, timeout=60).metadata["signature_def"]
        signatures = get_model_metadata_pb2.SignatureDefMap()
        metadata.Unpack(signatures)
        found["signatures"] = sorted(signatures.signature_def)
        request.model_spec.name = "none"
        try:
            ask.Predict(request, timeout=60)
        except grpc.RpcError as error:
            found["none"] = error.code().name
    return found


print(json.dumps(main(sys.argv[1])))
