"""The program that serves a function in a pod: `SERVED` travels as text beside the pickled function, as `model.py`.

It runs with the package kserve, or with what the model server of the embedded cluster puts at its place. Needs what
they need and nothing of Sampan's own.
"""

SERVED = '''\
"""Serves what was sent by `sampan.sdk.serve`: a function of rows, or an object with `predict`."""
import inspect, os, sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "_sampan"))
sys.path.insert(1, here)
import cloudpickle

try:
    import kserve
except ImportError:
    from sampan_serving.modelserver.custom import stand_in
    stand_in.install()
    import kserve

NAME = os.environ["SAMPAN_MODEL_NAME"]


def plain(value):
    """As JSON has it: arrays and tables by what they offer themselves."""
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return value.to_dict(orient="records")
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value


class Sent(kserve.Model):
    def __init__(self, name):
        super().__init__(name)
        self.ready = False

    def load(self):
        with open(os.path.join(here, "function.pkl"), "rb") as file:
            target = cloudpickle.load(file)
        if inspect.isclass(target):
            target = target()
        if not inspect.isroutine(target) and callable(getattr(target, "load", None)):
            target.load()
        self.function = target if not hasattr(target, "predict") else target.predict
        self.ready = True
        return True

    async def predict(self, payload, headers=None):
        if isinstance(payload, dict):
            if "instances" not in payload and "inputs" not in payload:
                raise kserve.errors.InvalidInput('send {"instances": [...]}')
            rows = payload["instances"] if "instances" in payload else payload["inputs"]
            return {"predictions": plain(await self.called(rows))}
        tensors = {each.name: each.as_numpy().tolist() for each in payload.inputs}
        rows = next(iter(tensors.values())) if len(tensors) == 1 else [
            dict(zip(tensors, row)) for row in zip(*tensors.values())]
        found = plain(await self.called(rows))
        import numpy
        array = numpy.asarray(found)
        names = {"b": "BOOL", "i": "INT64", "u": "UINT64", "f": "FP64"}
        kind = names.get(array.dtype.kind, "BYTES")
        output = kserve.InferOutput(name="output-0", shape=list(array.shape), datatype=kind,
                                    data=array.flatten().tolist())
        return kserve.InferResponse(response_id=payload.id, model_name=self.name, infer_outputs=[output])

    async def called(self, rows):
        found = self.function(rows)
        return await found if inspect.isawaitable(found) else found


if __name__ == "__main__":
    model = Sent(NAME)
    model.load()
    kserve.ModelServer().start([model])
'''
