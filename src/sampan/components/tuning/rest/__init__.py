"""Katib's HTTP and gRPC APIs."""
