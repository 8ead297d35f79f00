"""What Seldon's own SeldonClient does with a deployment: seldon_client.py HOST:PORT NAMESPACE NAME. Prints JSON."""

import json
import sys

import numpy as np
from seldon_core.seldon_client import SeldonClient

ROWS = np.array([[1.0, 2.0, 5.0]])


def outcome(made):
    """A call's, in plain words."""
    assert made.success, made.msg
    return made.response


def main(place, namespace, name):
    told = {}
    for gateway in ("ambassador", "istio"):
        for transport in ("rest", "grpc"):
            client = SeldonClient(
                gateway=gateway,
                transport=transport,
                namespace=namespace,
                deployment_name=name,
                gateway_endpoint=place,
            )
            for kind in ("tensor", "ndarray"):
                found = outcome(client.predict(data=ROWS, names=["a", "b", "c"], payload_type=kind))
                told[f"{gateway} {transport} {kind}"] = found["data"]
            request = client.predict(data=ROWS)
            feedback = client.feedback(request.request, request.response, reward=1.0)
            told[f"{gateway} {transport} feedback"] = feedback.success
    client = SeldonClient(namespace=namespace, deployment_name=name, gateway_endpoint=place)
    told["text"] = client.predict(str_data="hello").success
    return told


print(json.dumps(main(*sys.argv[1:])))
