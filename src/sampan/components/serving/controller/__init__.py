"""Serving's reconcilers, and the gateway."""
