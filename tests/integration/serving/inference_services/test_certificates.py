"""Certificates for model stores, in the namespaces of endpoints (kserve 0.20, controller_test.go: "Set CaBundle …")."""

from __future__ import annotations

import json

from sampan.kube import meta
from sampan.kube.kinds import CONFIG_MAPS, DEPLOYMENTS

from .conftest import condition, sklearn

STANDARD = {"annotations": {"serving.kserve.io/deploymentMode": "Standard"}}


async def put(serving, name, data):
    body = {"metadata": {"name": name, "namespace": "kserve"}, "data": data}
    await serving.client.create(CONFIG_MAPS, body)


def test_certificates_are_copied_to_where_models_are_fetched(run):
    async def scenario(serving):
        said = {"caBundleConfigMapName": "certs", "caBundleVolumeMountPath": "/etc/ssl/mine"}
        await put(serving, "inferenceservice-config", {"storageInitializer": json.dumps(said)})
        await serving.make(metadata=STANDARD, predictor=sklearn("s3://models/1"))
        isvc = await serving.becomes(status="False", type_="PredictorReady")
        assert "failed to get configmap certs" in condition(isvc, "PredictorReady")["message"]
        assert await serving.get(CONFIG_MAPS, "global-ca-bundle") is None
        await put(serving, "certs", {"other": "x"})
        await serving.says(lambda status: "cabundle.crt not found" in str(status["conditions"]))
        patch = {"data": {"cabundle.crt": "certificates"}}
        await serving.client.patch(CONFIG_MAPS, "certs", patch, "kserve")
        await serving.becomes()
        assert (await serving.one(CONFIG_MAPS, "global-ca-bundle"))["data"] == {
            "cabundle.crt": "certificates"
        }
        (deployment,) = await serving.all(DEPLOYMENTS)
        spec = meta.spec(meta.spec(deployment)["template"])
        shown = [each for each in spec["volumes"] if each["name"] == "cabundle-cert"]
        assert [each["configMap"]["name"] for each in shown] == ["global-ca-bundle"]
        assert any(each["mountPath"] == "/etc/ssl/mine" for each in spec["initContainers"][0]["volumeMounts"])
        await serving.client.patch(CONFIG_MAPS, "certs", {"data": {"cabundle.crt": "newer"}}, "kserve")

        async def newer():
            found = await serving.get(CONFIG_MAPS, "global-ca-bundle")
            return found["data"]["cabundle.crt"] == "newer"

        await serving.until(newer)

    run(scenario)
