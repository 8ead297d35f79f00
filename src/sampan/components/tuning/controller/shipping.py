"""Trial templates that tuning brings along, under the names by which Katib's pages and examples ask for them.

For the component's door. Source: kubeflow/katib v0.19 manifests/v1beta1/components/controller/trial-templates.yaml.
"""

from __future__ import annotations

from sampan.client.protocol import Client
from sampan.components.tuning.api import labels
from sampan.kube.kinds import CONFIG_MAPS
from sampan.kube.meta import Object
from sampan.reconcile import shipping

_MANAGER = "sampan-tuning"
_IMAGES = "ghcr.io/kubeflow/katib"
_VERSION = "v0.19.0"
_MNIST = f"{_IMAGES}/pytorch-mnist-cpu:{_VERSION}"
_ENAS = f"{_IMAGES}/enas-cnn-cifar10-cpu:{_VERSION}"

_MNIST_JOB = f"""\
apiVersion: batch/v1
kind: Job
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: training-container
          image: {_MNIST}
          command:
            - python3
            - /opt/pytorch-mnist/mnist.py
            - --epochs=1
            - --batch-size=16
            - --lr=${{trialParameters.learningRate}}
            - --momentum=${{trialParameters.momentum}}
"""

# JSON goes into these two arguments: quoted here, so that the text stays YAML when it has.
_ENAS_JOB = f"""\
apiVersion: batch/v1
kind: Job
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: training-container
          image: {_ENAS}
          command:
            - python3
            - -u
            - RunTrial.py
            - --num_epochs=1
            - '--architecture="${{trialParameters.neuralNetworkArchitecture}}"'
            - '--nn_config="${{trialParameters.neuralNetworkConfig}}"'
"""

_REPLICA = f"""\
      restartPolicy: OnFailure
      template:
        spec:
          containers:
            - name: pytorch
              image: {_MNIST}
              command:
                - python3
                - /opt/pytorch-mnist/mnist.py
                - --epochs=1
                - --lr=${{trialParameters.learningRate}}
                - --momentum=${{trialParameters.momentum}}
"""

_PYTORCH_JOB = f"""\
apiVersion: kubeflow.org/v1
kind: PyTorchJob
spec:
  pytorchReplicaSpecs:
    Master:
      replicas: 1
{_REPLICA}\
    Worker:
      replicas: 2
{_REPLICA}"""

TEMPLATES: Object = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {
        "name": "trial-templates",
        "namespace": labels.NAMESPACE,
        "labels": {labels.COMPONENT: labels.TRIAL_TEMPLATES},
    },
    "data": {
        "defaultTrialTemplate.yaml": _MNIST_JOB,
        "enasCPUTemplate": _ENAS_JOB,
        "pytorchJobTemplate": _PYTORCH_JOB,
    },
}


async def ship(client: Client) -> None:
    await shipping.ship(client, _MANAGER, [(CONFIG_MAPS, TEMPLATES)])
