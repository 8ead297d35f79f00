"""Kubeflow Pipelines (upstream: kubeflow/pipelines 2.17): the KFP API and an engine that interprets the KFP IR."""
