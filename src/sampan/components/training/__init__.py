"""Distributed training: Kubeflow's training operators and Trainer. Where to start: README.md."""
