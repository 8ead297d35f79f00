"""Kubernetes' objects as pages show them, whatever their kind: how they are in words, amounts, events, YAML."""
