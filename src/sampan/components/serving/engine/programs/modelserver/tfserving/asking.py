"""What REST and gRPC both do with a version: its signature run, examples classified, states and signatures told.

Source: tensorflow/serving 2.19 tensorflow_serving/servables/tensorflow/{predict_util,multi_inference}.cc,
model_servers/get_model_status_impl.cc.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from sampan.components.serving.engine.programs.modelserver.batching import Outcome
from sampan.components.serving.engine.programs.modelserver.contract import Array, Tensor
from sampan.components.serving.engine.programs.modelserver.tfserving import examples
from sampan.components.serving.engine.programs.modelserver.tfserving.errors import StatusError, invalid
from sampan.components.serving.engine.programs.modelserver.tfserving.messages import message, number_of
from sampan.components.serving.engine.programs.modelserver.tfserving.signatures import DEFAULT, types
from sampan.components.serving.engine.programs.modelserver.tfserving.tensors import (
    name_of_dtype,
    spoken,
    tensor,
)
from sampan.components.serving.engine.programs.modelserver.tfserving.versions import Version, Versions


def submit(
    version: Version, signature_name: str, inputs: Mapping[str, Array], done: Callable[[Outcome], None]
) -> None:
    """Raises FullError."""
    served = version.served
    assert served is not None
    assert served.lane is not None
    begin = time.perf_counter()

    def ran(outcome: Outcome) -> None:
        took = time.perf_counter() - begin
        served.statistics.observe("predict", took)
        served.statistics.answered(400 if isinstance(outcome, BaseException) else 200, took)
        done(outcome)

    # The default is not named: so requests for it can be joined.
    parameters = {"signature_name": signature_name} if signature_name not in ("", DEFAULT) else {}
    served.lane.submit([tensor(name, array) for name, array in inputs.items()], parameters, ran)


def run(version: Version, signature_name: str, inputs: Mapping[str, Array]) -> Awaitable[Sequence[Tensor]]:
    """Asked at once: a version that goes meanwhile answers still. What is awaited raises what the model does."""
    future: asyncio.Future[Sequence[Tensor]] = asyncio.get_running_loop().create_future()

    def done(outcome: Outcome) -> None:
        if future.done():
            return
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    submit(version, signature_name, inputs, done)
    return future


def check_inputs(signature: Any, inputs: Mapping[str, Array]) -> None:
    """Raises StatusError."""
    sent, wanted = set(inputs), set(signature.inputs)
    defaults = set(signature.defaults)
    if len(sent) > len(wanted) or (len(sent) < len(wanted) and not defaults):
        raise invalid(
            f"input size does not match signature: {len(sent)}!={len(wanted)} len({{{_listed(sent)}}}) != "
            f"len({{{_listed(wanted)}}}). Sent extra: {{{_listed(sent - wanted)}}}. "
            f"Missing but required: {{{_listed(wanted - sent)}}}."
        )
    for alias in sorted(sent - wanted):
        raise invalid(
            f"input tensor alias not found in signature: {alias}. "
            f"Inputs expected to be in the set {{{_listed(wanted)}}}."
        )
    for place, (alias, dtype) in enumerate(types(signature).items()):
        if alias in inputs and name_of_dtype(inputs[alias]) != dtype:
            raise invalid(
                f"Expects arg[{place}] to be {spoken(dtype)} but {spoken(name_of_dtype(inputs[alias]))} is provided"
            )


def check_filter(signature: Any, asked: Sequence[str]) -> None:
    """Raises StatusError."""
    for alias in asked:
        if alias not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {{{_listed(set(signature.outputs))}}}."
            )
    if len(set(asked)) != len(asked):
        raise invalid(f"duplicate output tensor alias: {next(a for a in asked if asked.count(a) > 1)}")


def classify(version: Version, signature_name: str, given: Any) -> Awaitable[Any]:
    """A ClassificationResult, asked for at once. Raises StatusError."""
    examples.check_classify(_named(version, signature_name))
    return _results(version, signature_name, given, examples.classified)


def regress(version: Version, signature_name: str, given: Any) -> Awaitable[Any]:
    """A RegressionResult, asked for at once. Raises StatusError."""
    examples.check_regress(_named(version, signature_name))
    return _results(version, signature_name, given, examples.regressed)


def _results(
    version: Version, signature_name: str, given: Any, made: Callable[[Sequence[Tensor], int], Any]
) -> Awaitable[Any]:
    texts = examples.serialized(given)
    asked = run(version, signature_name, {examples.INPUTS: texts})

    async def result() -> Any:
        return made(await asked, len(texts))

    return result()


def status_response(versions: Versions, name: str, number: int | None) -> Any:
    """A GetModelStatusResponse. Raises StatusError."""
    response = message("GetModelStatusResponse")()
    for each in versions.states(name, number):
        added = response.model_version_status.add(version=each.number, state=number_of("State", each.state))
        added.status.error_message = each.error
        if each.error:
            added.status.error_code = number_of("Code", "UNKNOWN")
        else:
            added.status.error_code = 0
    return response


def signature_map(version: Version) -> Any:
    made = message("SignatureDefMap")()
    for name, signature in version.signatures.items():
        made.signature_def[name].CopyFrom(signature)
    return made


def _named(version: Version, name: str) -> Any:
    signature = version.signature(name)
    if signature is None:
        raise StatusError("INVALID_ARGUMENT", f"No signature was found with the name: {name or DEFAULT}")
    return signature


def _listed(names: set[str]) -> str:
    return ",".join(sorted(names))
