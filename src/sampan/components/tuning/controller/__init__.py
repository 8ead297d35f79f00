"""Tuning's reconcilers, and the hooks of the API server."""
