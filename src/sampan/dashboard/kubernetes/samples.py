"""What the editor for new objects begins with, by kind: small, and working as it stands. Pure."""

from __future__ import annotations

from sampan.dashboard.kubernetes.kinds import Kind

_POD = """apiVersion: v1
kind: Pod
metadata:
  name: hello
spec:
  restartPolicy: Never
  containers:
    - name: main
      image: python:3.11
      command: [python, -c, "print('hello')"]
"""
_SAMPLES = {
    "pods": _POD,
    "deployments": """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
        - name: web
          image: python:3.11
          command: [python, -m, http.server, "8000"]
          ports:
            - containerPort: 8000
""",
    "jobs": """apiVersion: batch/v1
kind: Job
metadata:
  name: hello
spec:
  backoffLimit: 2
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: main
          image: python:3.11
          command: [python, -c, "print('hello')"]
""",
    "cronjobs": """apiVersion: batch/v1
kind: CronJob
metadata:
  name: nightly
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: main
              image: python:3.11
              command: [python, -c, "print('hello')"]
""",
    "services": """apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector:
    app: web
  ports:
    - port: 80
      targetPort: 8000
""",
    "configmaps": """apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  colour: blue
""",
    "secrets": """apiVersion: v1
kind: Secret
metadata:
  name: credentials
stringData:
  password: change-me
""",
    "persistentvolumeclaims": """apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data
spec:
  accessModes: [ReadWriteOnce]
  resources:
    requests:
      storage: 1Gi
""",
    "namespaces": """apiVersion: v1
kind: Namespace
metadata:
  name: team-a
""",
    "resourcequotas": """apiVersion: v1
kind: ResourceQuota
metadata:
  name: limits
spec:
  hard:
    pods: "20"
    requests.cpu: "4"
    requests.memory: 16Gi
""",
}


def of(kind: Kind | None) -> str:
    if kind is None:
        return _POD
    found = _SAMPLES.get(kind.key)
    return (
        found
        or f"apiVersion: {kind.api_version}\nkind: {kind.kind}\nmetadata:\n  name: example\nspec: {{}}\n"
    )
