"""Metrics collectors: they follow the pods of trials, on this machine or through the API."""
