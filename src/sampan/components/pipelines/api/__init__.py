"""Kinds, states and validation of pipelines; pure, open to other components."""
